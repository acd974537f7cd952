// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/hdf5/entry_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>

#include "shardmark/storage/dataset_name.hpp"
#include "shardmark/storage/hdf5/datatype.hpp"
#include "shardmark/storage/hdf5/hdf5_call.hpp"
#include "shardmark/storage/hdf5/kept_entry_file.hpp"
#include "shardmark/storage/hdf5/new_file.hpp"
#include "shardmark/storage/hdf5/virtual_dataset.hpp"
#include "shardmark/storage/posix/file.hpp"

namespace shardmark {
namespace {

// What an object header, its link and its share of the group index take, from files of 1 to 10,000
// datasets.
constexpr std::int64_t metadata_bytes_per_dataset = 600;

/// Where each packed chunk lies in the packed dataset of its dtype, in elements.
struct PackedPlaces {
  std::array<std::int64_t, num_dtypes> extents{};
  std::vector<std::int64_t> first;  // by chunk, -1 where it is not packed
};

/// By dtype, then by owner, then in order, so that each rank writes one piece.
PackedPlaces place_packed(const EntryFileOptions& options, const Manifest& manifest) {
  PackedPlaces places;
  const auto& entries = manifest.entries.entries;
  std::vector<std::pair<std::int32_t, std::uint64_t>> chunks;  // owner, chunk
  std::vector<std::uint32_t> entry_of(manifest.entries.num_chunks());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    for (std::uint64_t c = entries[i].first_chunk;
         c < entries[i].first_chunk + entries[i].num_chunks; ++c) {
      entry_of[c] = static_cast<std::uint32_t>(i);
      if (options.arrangement->entries[i].form == EntryForm::packed) {
        chunks.emplace_back(options.owners.empty() ? 0 : options.owners[c], c);
      }
    }
  }
  if (chunks.empty()) {
    return places;
  }
  std::sort(chunks.begin(), chunks.end());
  places.first.assign(manifest.entries.num_chunks(), -1);
  for (const auto& [owner, chunk] : chunks) {
    const Entry& entry = entries[entry_of[chunk]];
    std::int64_t& extent = places.extents[static_cast<std::size_t>(entry.dtype)];
    places.first[chunk] = extent;
    extent += manifest.chunks.box(chunk, entry.sizes.ndim()).num_elements();
  }
  return places;
}

/// Entries in the order in which HDF5 gives them space: those that one rank writes alone by that
/// rank, so that its requests merge, behind all others.
std::vector<std::size_t> order_of_entries(const EntryFileOptions& options,
                                          const EntryTable& entries) {
  std::vector<std::size_t> order(entries.entries.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (options.owners.empty()) {
    return order;
  }
  const auto owner = [&](std::size_t i) {
    const Entry& entry = entries.entries[i];
    return entry.num_chunks == 1 ? options.owners[entry.first_chunk] : -1;
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return owner(a) < owner(b); });
  return order;
}

/// One entry file being laid out.
class Creation {
 public:
  Creation(NewHdf5File file, const EntryFileOptions& options, PackedPlaces places,
           Manifest& manifest)
      : file_(std::move(file)),
        options_(options),
        places_(std::move(places)),
        manifest_(manifest) {}

  Status run() {
    SHARDMARK_ASSIGN_OR_RETURN(const H5Group tensors, file_.make_group(tensors_group));
    SHARDMARK_ASSIGN_OR_RETURN(const H5Group objects, file_.make_group(objects_group));
    SHARDMARK_ASSIGN_OR_RETURN(const H5Group own, file_.make_group(shardmark_group));
    SHARDMARK_RETURN_IF_ERROR(write_attributes(own));
    SHARDMARK_RETURN_IF_ERROR(make_packed());
    for (const std::size_t i : order_of_entries(options_, manifest_.entries)) {
      const bool tensor = manifest_.entries.entries[i].kind == EntryKind::tensor;
      SHARDMARK_RETURN_IF_ERROR(make_entry(i, tensor ? tensors : objects));
    }
    SHARDMARK_RETURN_IF_ERROR(make_own_datasets(own));
    for (const H5Group* group : {&tensors, &objects, &own}) {
      file_.count_metadata(group->get());
    }
    return {};
  }

  Status close() { return file_.close(); }

  const std::array<std::int64_t, num_dtypes>& packed_addresses() const noexcept {
    return packed_addresses_;
  }

  LayoutCounters counters() const noexcept {
    // Sources of virtual datasets lie in heaps of 4 KiB and more.
    const std::int64_t heaps = (heap_bytes_ + 4095) / 4096 * 4096;
    return {file_.metadata_bytes() + heaps};
  }

 private:
  Status make_entry(std::size_t index, const H5Group& group) {
    const Entry& entry = manifest_.entries.entries[index];
    const EntryForm form = options_.arrangement->entries[index].form;
    EntryLocation& location = manifest_.locations[index];
    location.stored_as = stored_as(form);
    location.reason = options_.arrangement->entries[index].reason;
    SHARDMARK_ASSIGN_OR_RETURN(const std::string name, dataset_name(entry.fqn));
    SHARDMARK_ASSIGN_OR_RETURN(const H5Type type, hdf5_type(entry.dtype));
    std::optional<H5Properties> creation;
    std::optional<VirtualSources> sources;
    if (form == EntryForm::hdf5_chunks) {
      const Dims tile = manifest_.chunks.box(entry.first_chunk, entry.sizes.ndim()).sizes;
      SHARDMARK_ASSIGN_OR_RETURN(creation, NewHdf5File::tiled(tile));
    } else if (form != EntryForm::plain) {
      SHARDMARK_ASSIGN_OR_RETURN(sources, sources_of(entry, name, type, form));
      heap_bytes_ += sources->heap_bytes();
    }
    SHARDMARK_ASSIGN_OR_RETURN(const H5Dataset dataset,
                               file_.make_dataset(group, name, type, entry.sizes,
                                                  creation  ? &*creation
                                                  : sources ? &sources->creation()
                                                            : nullptr));
    SHARDMARK_RETURN_IF_ERROR(
        write_text_attribute(dataset.get(), "dtype", dtype_name(entry.dtype)));
    file_.count_metadata(dataset.get());
    if (form != EntryForm::plain) {
      return note_chunks(entry, location, dataset, form);
    }
    if (entry.num_bytes() > 0) {
      SHARDMARK_ASSIGN_OR_RETURN(location.address, NewHdf5File::address_of(dataset, name));
    }
    return {};
  }

  Result<VirtualSources> sources_of(const Entry& entry, const std::string& name, const H5Type& type,
                                    EntryForm form) const {
    SHARDMARK_ASSIGN_OR_RETURN(VirtualSources sources,
                               VirtualSources::make(entry.sizes, entry.dtype, type));
    for (std::uint64_t c = entry.first_chunk; c < entry.first_chunk + entry.num_chunks; ++c) {
      const Box box = manifest_.chunks.box(c, entry.sizes.ndim());
      if (form == EntryForm::packed) {
        SHARDMARK_RETURN_IF_ERROR(
            sources.add_slice(box, packed_dataset(entry.dtype), places_.first[c],
                              places_.extents[static_cast<std::size_t>(entry.dtype)]));
      } else {
        const auto rank = static_cast<std::size_t>(options_.owners[c]);
        const std::uint64_t file = options_.arrangement->file_of_rank[rank];
        SHARDMARK_RETURN_IF_ERROR(sources.add_whole(
            box, manifest_.files[file],
            std::string(chunks_group) + "/" + chunk_dataset_name(name, box.offsets)));
      }
    }
    return sources;
  }

  Status note_chunks(const Entry& entry, EntryLocation& location, const H5Dataset& dataset,
                     EntryForm form) {
    location.first_chunk_location = manifest_.chunk_locations.size();
    for (std::uint64_t c = entry.first_chunk; c < entry.first_chunk + entry.num_chunks; ++c) {
      ChunkLocation at;
      if (form == EntryForm::separate) {
        at.file = options_.arrangement->file_of_rank[static_cast<std::size_t>(options_.owners[c])];
      } else if (form == EntryForm::packed) {
        at.address = packed_addresses_[static_cast<std::size_t>(entry.dtype)] +
                     places_.first[c] * element_size(entry.dtype);
      } else {
        const Dims offsets = manifest_.chunks.box(c, entry.sizes.ndim()).offsets;
        SHARDMARK_ASSIGN_OR_RETURN(at.address, tile_address(dataset, offsets));
      }
      manifest_.chunk_locations.push_back(at);
    }
    return {};
  }

  Status make_packed() {
    if (places_.first.empty()) {
      return {};
    }
    SHARDMARK_ASSIGN_OR_RETURN(const H5Group group, file_.make_group(packed_group));
    for (std::uint64_t number = 0; number < num_dtypes; ++number) {
      const Dtype dtype = *dtype_from_number(number);
      const std::int64_t extent = places_.extents[number];
      if (extent == 0) {
        continue;
      }
      const std::string name(dtype_name(dtype));
      SHARDMARK_ASSIGN_OR_RETURN(const H5Type type, hdf5_type(dtype));
      SHARDMARK_ASSIGN_OR_RETURN(const H5Dataset dataset,
                                 file_.make_dataset(group, name, type, Dims{extent}));
      SHARDMARK_ASSIGN_OR_RETURN(packed_addresses_[number], NewHdf5File::address_of(dataset, name));
      file_.count_metadata(dataset.get());
    }
    file_.count_metadata(group.get());
    return {};
  }

  Status write_attributes(const H5Group& own) {
    const std::uint64_t version = format_version;
    const hid_t object = own.get();
    SHARDMARK_RETURN_IF_ERROR(
        write_attribute(object, "format_version", H5T_STD_U64LE, H5T_NATIVE_UINT64, &version));
    SHARDMARK_RETURN_IF_ERROR(
        write_attribute(object, "seed", H5T_STD_U64LE, H5T_NATIVE_UINT64, &manifest_.seed));
    SHARDMARK_RETURN_IF_ERROR(
        write_attribute(object, "step", H5T_STD_I64LE, H5T_NATIVE_INT64, &manifest_.step));
    SHARDMARK_RETURN_IF_ERROR(write_attribute(object, "world_size", H5T_STD_I64LE, H5T_NATIVE_INT64,
                                              &manifest_.world_size));
    return write_text_attribute(object, "save_id", manifest_.save_id);
  }

  /// Both sized now, so that the file never grows after this.
  Status make_own_datasets(const H5Group& own) {
    if (const std::uint64_t chunks = manifest_.entries.num_chunks();
        manifest_.checksum == ChecksumKind::xxh3 && chunks > 0) {
      const H5Type type(H5Tcopy(H5T_STD_U64LE));
      SHARDMARK_ASSIGN_OR_RETURN(const H5Dataset checksums,
                                 file_.make_dataset(own, checksums_dataset, type,
                                                    Dims{static_cast<std::int64_t>(chunks)}));
      SHARDMARK_ASSIGN_OR_RETURN(manifest_.checksums_address,
                                 NewHdf5File::address_of(checksums, checksums_dataset));
      file_.count_metadata(checksums.get());
    }
    const H5Type type(H5Tcopy(H5T_STD_U8LE));
    // Locations take the same room whatever they hold, and all else in a manifest is known by now.
    const auto size = static_cast<std::int64_t>(encode(manifest_).size());
    SHARDMARK_ASSIGN_OR_RETURN(const H5Dataset manifest,
                               file_.make_dataset(own, manifest_dataset, type, Dims{size}));
    file_.count_metadata(manifest.get());
    return {};
  }

  NewHdf5File file_;
  const EntryFileOptions& options_;
  PackedPlaces places_;
  Manifest& manifest_;
  std::array<std::int64_t, num_dtypes> packed_addresses_{};
  std::int64_t heap_bytes_ = 0;
};

/// Bytes of every object in the file, in the order in which they are laid out.
std::vector<std::int64_t> object_sizes(const EntryFileOptions& options, const PackedPlaces& places,
                                       const Manifest& manifest) {
  std::vector<std::int64_t> sizes;
  for (std::uint64_t number = 0; number < num_dtypes; ++number) {
    if (places.extents[number] > 0) {
      sizes.push_back(places.extents[number] * element_size(*dtype_from_number(number)));
    }
  }
  for (const std::size_t i : order_of_entries(options, manifest.entries)) {
    const Entry& entry = manifest.entries.entries[i];
    const EntryForm form = options.arrangement->entries[i].form;
    if (form == EntryForm::plain) {
      sizes.push_back(entry.num_bytes());
    } else if (form == EntryForm::hdf5_chunks) {
      const Dims tile = manifest.chunks.box(entry.first_chunk, entry.sizes.ndim()).sizes;
      sizes.insert(sizes.end(), entry.num_chunks, volume(tile) * element_size(entry.dtype));
    }
  }
  return sizes;
}

Result<NewFileOptions> new_file_options(const EntryFileOptions& options, const PackedPlaces& places,
                                        const Manifest& manifest) {
  NewFileOptions file;
  SHARDMARK_ASSIGN_OR_RETURN(
      file.alignment, resolve_alignment(options.storage, object_sizes(options, places, manifest)));
  // A metadata block that is mostly empty would be padding: no larger than what the headers need.
  const auto datasets = static_cast<std::int64_t>(manifest.entries.entries.size()) + 8;
  file.meta_block_size =
      std::min(options.storage.meta_block_size, datasets * metadata_bytes_per_dataset);
  file.holds_virtual =
      options.arrangement->has(EntryForm::separate) || options.arrangement->has(EntryForm::packed);
  for (std::size_t i = 0; i < manifest.entries.entries.size(); ++i) {
    if (options.arrangement->entries[i].form == EntryForm::hdf5_chunks) {
      file.most_tiles = std::max(file.most_tiles, manifest.entries.entries[i].num_chunks);
    }
  }
  return file;
}

}  // namespace

Result<EntryFileMade> create_entry_file(const std::string& path, const EntryFileOptions& options,
                                        Manifest& manifest) {
  const Hdf5Lock lock;
  manifest.files = options.arrangement->files;
  manifest.layout = options.arrangement->layout;
  manifest.locations.assign(manifest.entries.entries.size(), {});
  manifest.chunk_locations.clear();
  std::vector<std::byte> content;
  if (options.kept != nullptr) {
    content = KeptEntryFile::content_of(options, manifest);
    if (options.kept->holds(content)) {
      return options.kept->make_again(path, manifest);
    }
  }
  PackedPlaces places = place_packed(options, manifest);
  SHARDMARK_ASSIGN_OR_RETURN(const NewFileOptions file_options,
                             new_file_options(options, places, manifest));
  SHARDMARK_ASSIGN_OR_RETURN(NewHdf5File file, NewHdf5File::create(path, file_options));
  Creation creation(std::move(file), options, std::move(places), manifest);
  const Status laid_out = creation.run();
  const Status closed = creation.close();
  SHARDMARK_RETURN_IF_ERROR(laid_out);
  SHARDMARK_RETURN_IF_ERROR(closed);
  const EntryFileMade made{creation.counters(), creation.packed_addresses()};
  if (options.kept != nullptr) {
    SHARDMARK_RETURN_IF_ERROR(options.kept->keep(path, std::move(content), manifest, made));
  }
  return made;
}

Result<std::int64_t> tile_address(const H5Dataset& dataset, const Dims& offsets) {
  std::array<hsize_t, max_ndim> coordinates{};
  std::transform(offsets.begin(), offsets.end(), coordinates.begin(),
                 [](std::int64_t value) { return static_cast<hsize_t>(value); });
  unsigned filters = 0;
  haddr_t address = HADDR_UNDEF;
  hsize_t num_bytes = 0;
  if (H5Dget_chunk_info_by_coord(dataset.get(), coordinates.data(), &filters, &address,
                                 &num_bytes) < 0 ||
      address == HADDR_UNDEF) {
    return hdf5_error("H5Dget_chunk_info_by_coord", to_string(offsets).c_str());
  }
  return static_cast<std::int64_t>(address);
}

std::string packed_dataset(Dtype dtype) {
  return fmt::format("{}/{}", packed_group, dtype_name(dtype));
}

std::string chunk_dataset_name(const std::string& name, const Dims& offsets) {
  return name + to_string(offsets);
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

Result<std::int64_t> write_manifest_durably(const std::string& path,
                                            std::span<const std::byte> bytes) {
  const Hdf5Lock lock;
  SHARDMARK_ASSIGN_OR_RETURN(const std::int64_t address, write_manifest_dataset(path, bytes));
  SHARDMARK_RETURN_IF_ERROR(fsync_path(path));
  // COMMIT will vouch for the file as it lies there, so what lies there must be this.
  SHARDMARK_ASSIGN_OR_RETURN(const FileDescriptor file, open_file(path, O_RDONLY));
  std::vector<std::byte> stored(bytes.size());
  SHARDMARK_RETURN_IF_ERROR(read_at(file, path, stored, address));
  if (!std::equal(stored.begin(), stored.end(), bytes.begin())) {
    return Error{
        ErrorCode::io_error,
        fmt::format("{}: the manifest was written without an error but did not reach the file",
                    path)};
  }
  return address;
}

Result<std::string> dataset_path(const Entry& entry) {
  SHARDMARK_ASSIGN_OR_RETURN(const std::string name, dataset_name(entry.fqn));
  return std::string(entry.kind == EntryKind::tensor ? tensors_group : objects_group) + "/" + name;
}

}  // namespace shardmark
