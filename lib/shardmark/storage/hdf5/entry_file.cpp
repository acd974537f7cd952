// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/hdf5/entry_file.hpp"

#include <algorithm>
#include <array>

#include "shardmark/storage/commit_record.hpp"
#include "shardmark/storage/dataset_name.hpp"
#include "shardmark/storage/hdf5/datatype.hpp"
#include "shardmark/storage/hdf5/hdf5_call.hpp"

namespace shardmark {
namespace {

// What an object header, its link and its share of the group index take, from files of 1 to 10,000
// datasets.
constexpr std::int64_t metadata_bytes_per_dataset = 600;

Result<H5Space> dataspace_of(const Dims& sizes) {
  if (sizes.empty()) {
    return hdf5_handle<H5Space>(H5Screate(H5S_SCALAR), "H5Screate", "");
  }
  std::array<hsize_t, max_ndim> extents{};
  std::transform(sizes.begin(), sizes.end(), extents.begin(),
                 [](std::int64_t s) { return static_cast<hsize_t>(s); });
  return hdf5_handle<H5Space>(H5Screate_simple(sizes.ndim(), extents.data(), nullptr),
                              "H5Screate_simple", "");
}

/// Space at once, no fill: without this a parallel HDF5 zeroes or a serial one delays.
Result<H5Properties> dataset_creation() {
  H5Properties properties(H5Pcreate(H5P_DATASET_CREATE));
  if (!properties || H5Pset_alloc_time(properties.get(), H5D_ALLOC_TIME_EARLY) < 0 ||
      H5Pset_fill_time(properties.get(), H5D_FILL_TIME_NEVER) < 0) {
    return hdf5_error("H5Pset_alloc_time", "");
  }
  return properties;
}

Status write_attribute(const H5Group& group, const char* name, hid_t file_type, hid_t memory_type,
                       const void* value) {
  const H5Space scalar(H5Screate(H5S_SCALAR));
  const H5Attribute attribute(
      H5Acreate2(group.get(), name, file_type, scalar.get(), H5P_DEFAULT, H5P_DEFAULT));
  if (!attribute || H5Awrite(attribute.get(), memory_type, value) < 0) {
    return hdf5_error("H5Awrite", name);
  }
  return {};
}

Status write_text_attribute(hid_t object, const char* name, std::string_view text) {
  H5Type type(H5Tcopy(H5T_C_S1));
  const H5Space scalar(H5Screate(H5S_SCALAR));
  if (H5Tset_size(type.get(), std::max<std::size_t>(text.size(), 1)) < 0 ||
      H5Tset_cset(type.get(), H5T_CSET_UTF8) < 0 ||
      H5Tset_strpad(type.get(), H5T_STR_NULLPAD) < 0) {
    return hdf5_error("H5Tset_size", name);
  }
  const H5Attribute attribute(
      H5Acreate2(object, name, type.get(), scalar.get(), H5P_DEFAULT, H5P_DEFAULT));
  if (!attribute || H5Awrite(attribute.get(), type.get(), std::string(text).c_str()) < 0) {
    return hdf5_error("H5Awrite", name);
  }
  return {};
}

/// Headers and indices of one object, as HDF5 counts them itself.
std::int64_t metadata_bytes(hid_t object) {
#if H5_VERSION_GE(1, 12, 0)
  H5O_native_info_t info;
  if (H5Oget_native_info(object, &info, H5O_NATIVE_INFO_HDR | H5O_NATIVE_INFO_META_SIZE) < 0) {
    return 0;
  }
#else
  H5O_info_t info;
  if (H5Oget_info2(object, &info, H5O_INFO_HDR | H5O_INFO_META_SIZE) < 0) {
    return 0;
  }
#endif
  return static_cast<std::int64_t>(info.hdr.space.total + info.meta_size.obj.index_size +
                                   info.meta_size.obj.heap_size + info.meta_size.attr.index_size +
                                   info.meta_size.attr.heap_size);
}

/// One file being laid out.
class Creation {
 public:
  Creation(H5File file, Manifest& manifest) : file_(std::move(file)), manifest_(manifest) {}

  Status run() {
    SHARDMARK_ASSIGN_OR_RETURN(creation_, dataset_creation());
    SHARDMARK_ASSIGN_OR_RETURN(
        links_, hdf5_handle<H5Properties>(H5Pcreate(H5P_LINK_CREATE), "H5Pcreate", "links"));
    if (H5Pset_char_encoding(links_.get(), H5T_CSET_UTF8) < 0) {
      return hdf5_error("H5Pset_char_encoding", "");
    }
    SHARDMARK_ASSIGN_OR_RETURN(const H5Group tensors, make_group(tensors_group));
    SHARDMARK_ASSIGN_OR_RETURN(const H5Group objects, make_group(objects_group));
    SHARDMARK_ASSIGN_OR_RETURN(const H5Group own, make_group(shardmark_group));
    SHARDMARK_RETURN_IF_ERROR(write_attributes(own));
    for (std::size_t i = 0; i < manifest_.entries.entries.size(); ++i) {
      const Entry& entry = manifest_.entries.entries[i];
      const H5Group& group = entry.kind == EntryKind::tensor ? tensors : objects;
      SHARDMARK_ASSIGN_OR_RETURN(const std::string name, dataset_name(entry.fqn));
      SHARDMARK_ASSIGN_OR_RETURN(const H5Type type, hdf5_type(entry.dtype));
      SHARDMARK_ASSIGN_OR_RETURN(const H5Dataset dataset,
                                 make_dataset(group.get(), name, type, entry.sizes));
      SHARDMARK_RETURN_IF_ERROR(
          write_text_attribute(dataset.get(), "dtype", dtype_name(entry.dtype)));
      counters_.library_metadata_bytes += metadata_bytes(dataset.get());
      if (entry.num_bytes() > 0) {
        SHARDMARK_ASSIGN_OR_RETURN(manifest_.locations[i].address, address_of(dataset, name));
      }
    }
    SHARDMARK_RETURN_IF_ERROR(make_own_datasets(own));
    for (const H5Group* group : {&tensors, &objects, &own}) {
      counters_.library_metadata_bytes += metadata_bytes(group->get());
    }
    return {};
  }

  /// The close writes: its status matters.
  Status close() {
    creation_ = {};
    links_ = {};
    H5F_info2_t info;
    if (H5Fget_info2(file_.get(), &info) >= 0) {
      counters_.library_metadata_bytes +=
          static_cast<std::int64_t>(info.super.super_size + info.super.super_ext_size);
    }
    return hdf5_status(H5Fclose(file_.release()), "H5Fclose", entry_file_name);
  }

  const LayoutCounters& counters() const noexcept { return counters_; }

 private:
  Result<H5Group> make_group(const char* path) {
    return hdf5_handle<H5Group>(
        H5Gcreate2(file_.get(), path, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), "H5Gcreate2", path);
  }

  Result<H5Dataset> make_dataset(hid_t group, const std::string& name, const H5Type& type,
                                 const Dims& sizes) {
    SHARDMARK_ASSIGN_OR_RETURN(const H5Space space, dataspace_of(sizes));
    return hdf5_handle<H5Dataset>(H5Dcreate2(group, name.c_str(), type.get(), space.get(),
                                             links_.get(), creation_.get(), H5P_DEFAULT),
                                  "H5Dcreate2", name.c_str());
  }

  static Result<std::int64_t> address_of(const H5Dataset& dataset, const std::string& name) {
    const haddr_t address = H5Dget_offset(dataset.get());
    if (address == HADDR_UNDEF) {
      return hdf5_error("H5Dget_offset", name.c_str());
    }
    return static_cast<std::int64_t>(address);
  }

  Status write_attributes(const H5Group& own) {
    const std::uint64_t version = format_version;
    SHARDMARK_RETURN_IF_ERROR(
        write_attribute(own, "format_version", H5T_STD_U64LE, H5T_NATIVE_UINT64, &version));
    SHARDMARK_RETURN_IF_ERROR(
        write_attribute(own, "seed", H5T_STD_U64LE, H5T_NATIVE_UINT64, &manifest_.seed));
    SHARDMARK_RETURN_IF_ERROR(
        write_attribute(own, "step", H5T_STD_I64LE, H5T_NATIVE_INT64, &manifest_.step));
    SHARDMARK_RETURN_IF_ERROR(
        write_attribute(own, "world_size", H5T_STD_I64LE, H5T_NATIVE_INT64, &manifest_.world_size));
    return write_text_attribute(own.get(), "save_id", manifest_.save_id);
  }

  /// Both sized now, so that the file never grows after this.
  Status make_own_datasets(const H5Group& own) {
    if (const std::uint64_t chunks = manifest_.entries.num_chunks();
        manifest_.checksum == ChecksumKind::xxh3 && chunks > 0) {
      const H5Type type(H5Tcopy(H5T_STD_U64LE));
      SHARDMARK_ASSIGN_OR_RETURN(const H5Dataset checksums,
                                 make_dataset(own.get(), checksums_dataset, type,
                                              Dims{static_cast<std::int64_t>(chunks)}));
      SHARDMARK_ASSIGN_OR_RETURN(manifest_.checksums_address,
                                 address_of(checksums, checksums_dataset));
      counters_.library_metadata_bytes += metadata_bytes(checksums.get());
    }
    const H5Type type(H5Tcopy(H5T_STD_U8LE));
    // Locations take the same room whatever they hold, and all else in a manifest is known by now.
    const auto size = static_cast<std::int64_t>(encode(manifest_).size());
    SHARDMARK_ASSIGN_OR_RETURN(const H5Dataset manifest,
                               make_dataset(own.get(), manifest_dataset, type, Dims{size}));
    counters_.library_metadata_bytes += metadata_bytes(manifest.get());
    return {};
  }

  H5File file_;
  Manifest& manifest_;
  H5Properties creation_;
  H5Properties links_;
  LayoutCounters counters_;
};

Result<H5Properties> file_access(const EntryFileOptions& options, const EntryTable& entries) {
  const std::int64_t alignment = choose_alignment(entries);
  // A metadata block that is mostly empty would be padding: no larger than what the headers need.
  const auto datasets = static_cast<std::int64_t>(entries.entries.size()) + 8;
  const std::int64_t block =
      std::min(options.meta_block_size, datasets * metadata_bytes_per_dataset);
  H5Properties access(H5Pcreate(H5P_FILE_ACCESS));
  if (!access || H5Pset_libver_bounds(access.get(), H5F_LIBVER_V18, H5F_LIBVER_V18) < 0 ||
      H5Pset_meta_block_size(access.get(), static_cast<hsize_t>(block)) < 0 ||
      H5Pset_alignment(access.get(), static_cast<hsize_t>(alignment),
                       static_cast<hsize_t>(alignment)) < 0) {
    return hdf5_error("H5Pset_alignment", "");
  }
  return access;
}

}  // namespace

std::int64_t choose_alignment(const EntryTable& entries) {
  std::int64_t total = 0;
  for (const Entry& entry : entries.entries) {
    total += entry.num_bytes();
  }
  for (std::int64_t alignment = std::int64_t{1} << 20; alignment >= 4096; alignment /= 2) {
    // Datasets lie in this order, behind a little metadata: gaps come before aligned ones.
    std::int64_t padding = 0;
    std::int64_t end = 1;
    for (const Entry& entry : entries.entries) {
      if (entry.num_bytes() >= alignment) {
        const std::int64_t gap = (alignment - end % alignment) % alignment;
        padding += gap;
        end += gap;
      }
      end += entry.num_bytes();
    }
    if (padding * 20 <= total) {
      return alignment;
    }
  }
  return 1;
}

Result<LayoutCounters> create_entry_file(const std::string& path, const EntryFileOptions& options,
                                         Manifest& manifest) {
  SHARDMARK_RETURN_IF_ERROR(prepare_hdf5());
  manifest.files = {entry_file_name};
  manifest.locations.assign(manifest.entries.entries.size(), {});
  SHARDMARK_ASSIGN_OR_RETURN(const H5Properties access, file_access(options, manifest.entries));
  SHARDMARK_ASSIGN_OR_RETURN(H5File file, hdf5_handle<H5File>(H5Fcreate(path.c_str(), H5F_ACC_EXCL,
                                                                        H5P_DEFAULT, access.get()),
                                                              "H5Fcreate", path.c_str()));
  Creation creation(std::move(file), manifest);
  const Status laid_out = creation.run();
  const Status closed = creation.close();
  if (!closed) {
    mark_hdf5_unusable();
  }
  SHARDMARK_RETURN_IF_ERROR(laid_out);
  SHARDMARK_RETURN_IF_ERROR(closed);
  return creation.counters();
}

Result<std::int64_t> write_manifest_dataset(const std::string& path,
                                            std::span<const std::byte> bytes) {
  SHARDMARK_RETURN_IF_ERROR(prepare_hdf5());
  const char* name = manifest_dataset;
  SHARDMARK_ASSIGN_OR_RETURN(
      H5File file, hdf5_handle<H5File>(H5Fopen(path.c_str(), H5F_ACC_RDWR, H5P_DEFAULT), "H5Fopen",
                                       path.c_str()));
  std::int64_t address = -1;
  Status written;
  {
    const H5Dataset dataset(H5Dopen2(file.get(), name, H5P_DEFAULT));
    const H5Space space(H5Dget_space(dataset.get()));
    if (H5Sget_simple_extent_npoints(space.get()) != static_cast<hssize_t>(bytes.size())) {
      written = Error{ErrorCode::internal, "the manifest has another length than was planned"};
    } else {
      written = hdf5_status(
          H5Dwrite(dataset.get(), H5T_STD_U8LE, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()),
          "H5Dwrite", name);
      address = static_cast<std::int64_t>(H5Dget_offset(dataset.get()));
    }
  }
  const Status closed = hdf5_status(H5Fclose(file.release()), "H5Fclose", path.c_str());
  if (!closed) {
    mark_hdf5_unusable();
  }
  SHARDMARK_RETURN_IF_ERROR(written);
  SHARDMARK_RETURN_IF_ERROR(closed);
  return address;
}

Result<std::string> dataset_path(const Entry& entry) {
  SHARDMARK_ASSIGN_OR_RETURN(const std::string name, dataset_name(entry.fqn));
  return std::string(entry.kind == EntryKind::tensor ? tensors_group : objects_group) + "/" + name;
}

}  // namespace shardmark
