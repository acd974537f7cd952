// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/hdf5/library/new_file.hpp"

#include <algorithm>
#include <array>

#include "shardmark/storage/hdf5/library/file_locking.hpp"
#include "shardmark/storage/hdf5/library/hdf5_call.hpp"

namespace shardmark {
namespace {

/// Headers and indices of one object, as HDF5 counts them itself.
Result<std::int64_t> metadata_bytes_of(hid_t object) {
#if H5_VERSION_GE(1, 12, 0)
  H5O_native_info_t info;
  SHARDMARK_RETURN_IF_ERROR(hdf5_status(
      H5Oget_native_info(object, &info, H5O_NATIVE_INFO_HDR | H5O_NATIVE_INFO_META_SIZE),
      "H5Oget_native_info", ""));
#else
  H5O_info_t info;
  SHARDMARK_RETURN_IF_ERROR(hdf5_status(
      H5Oget_info2(object, &info, H5O_INFO_HDR | H5O_INFO_META_SIZE), "H5Oget_info2", ""));
#endif
  return static_cast<std::int64_t>(info.hdr.space.total + info.meta_size.obj.index_size +
                                   info.meta_size.obj.heap_size + info.meta_size.attr.index_size +
                                   info.meta_size.attr.heap_size);
}

// A node of the index of hdf5_chunks has room for twice this; the default of 32 wastes kilobytes
// where tensors have few.
unsigned tile_index_rank(std::uint64_t most_tiles) {
  return static_cast<unsigned>(std::clamp<std::uint64_t>((most_tiles + 1) / 2, 1, 32));
}

Result<H5Properties> file_creation(const NewFileOptions& options) {
  H5Properties creation(H5Pcreate(H5P_FILE_CREATE));
  if (!creation || H5Pset_obj_track_times(creation.get(), 0) < 0 ||  // of the root group
      (options.most_tiles > 0 &&
       H5Pset_istore_k(creation.get(), tile_index_rank(options.most_tiles)) < 0)) {
    return hdf5_error("H5Pset_istore_k", "");
  }
  return creation;
}

Result<H5Properties> file_access(const NewFileOptions& options) {
  SHARDMARK_ASSIGN_OR_RETURN(H5Properties access, unlocked_access());
  const auto newest = options.holds_virtual ? H5F_LIBVER_V110 : H5F_LIBVER_V18;
  if (H5Pset_libver_bounds(access.get(), H5F_LIBVER_V18, newest) < 0 ||
      H5Pset_meta_block_size(access.get(), static_cast<hsize_t>(options.meta_block_size)) < 0 ||
      H5Pset_alignment(access.get(), static_cast<hsize_t>(options.alignment.threshold),
                       static_cast<hsize_t>(options.alignment.bytes)) < 0) {
    return hdf5_error("H5Pset_alignment", "");
  }
  return access;
}

}  // namespace

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

Result<H5Properties> dataset_creation() {
  H5Properties properties(H5Pcreate(H5P_DATASET_CREATE));
  if (!properties || H5Pset_alloc_time(properties.get(), H5D_ALLOC_TIME_EARLY) < 0 ||
      H5Pset_fill_time(properties.get(), H5D_FILL_TIME_NEVER) < 0 ||
      // The same content gives the same bytes, whenever it is saved.
      H5Pset_obj_track_times(properties.get(), 0) < 0) {
    return hdf5_error("H5Pset_alloc_time", "");
  }
  return properties;
}

Result<NewHdf5File> NewHdf5File::create(const std::string& path, const NewFileOptions& options) {
  SHARDMARK_RETURN_IF_ERROR(prepare_hdf5());
  NewHdf5File file;
  file.path_ = path;
  file.options_ = options;
  SHARDMARK_ASSIGN_OR_RETURN(const H5Properties creation, file_creation(options));
  SHARDMARK_ASSIGN_OR_RETURN(const H5Properties access, file_access(options));
  SHARDMARK_ASSIGN_OR_RETURN(
      file.file_,
      hdf5_handle<H5File>(H5Fcreate(path.c_str(), H5F_ACC_EXCL, creation.get(), access.get()),
                          "H5Fcreate", path.c_str()));
  SHARDMARK_ASSIGN_OR_RETURN(file.creation_, dataset_creation());
  SHARDMARK_ASSIGN_OR_RETURN(
      file.links_, hdf5_handle<H5Properties>(H5Pcreate(H5P_LINK_CREATE), "H5Pcreate", "links"));
  SHARDMARK_RETURN_IF_ERROR(hdf5_status(H5Pset_char_encoding(file.links_.get(), H5T_CSET_UTF8),
                                        "H5Pset_char_encoding", path.c_str()));
  return file;
}

Result<H5Group> NewHdf5File::make_group(const char* path) {
  const H5Properties creation(H5Pcreate(H5P_GROUP_CREATE));
  if (!creation || H5Pset_obj_track_times(creation.get(), 0) < 0) {
    return hdf5_error("H5Pset_obj_track_times", path);
  }
  return hdf5_handle<H5Group>(
      H5Gcreate2(file_.get(), path, H5P_DEFAULT, creation.get(), H5P_DEFAULT), "H5Gcreate2", path);
}

Result<H5Dataset> NewHdf5File::make_dataset(const H5Group& group, const std::string& name,
                                            const H5Type& type, const Dims& sizes,
                                            const H5Properties* creation) {
  SHARDMARK_ASSIGN_OR_RETURN(const H5Space space, dataspace_of(sizes));
  return hdf5_handle<H5Dataset>(
      H5Dcreate2(group.get(), name.c_str(), type.get(), space.get(), links_.get(),
                 (creation ? *creation : creation_).get(), H5P_DEFAULT),
      "H5Dcreate2", name.c_str());
}

Result<H5Properties> NewHdf5File::tiled(const Dims& tile) {
  SHARDMARK_ASSIGN_OR_RETURN(H5Properties creation, dataset_creation());
  std::array<hsize_t, max_ndim> extents{};
  std::transform(tile.begin(), tile.end(), extents.begin(),
                 [](std::int64_t s) { return static_cast<hsize_t>(s); });
  SHARDMARK_RETURN_IF_ERROR(
      hdf5_status(H5Pset_chunk(creation.get(), tile.ndim(), extents.data()), "H5Pset_chunk", ""));
  return creation;
}

Status NewHdf5File::count_metadata(hid_t object) {
  SHARDMARK_ASSIGN_OR_RETURN(const std::int64_t num_bytes, metadata_bytes_of(object));
  metadata_bytes_ += num_bytes;
  return {};
}

Status NewHdf5File::reopen(std::int64_t meta_block_size) {
  options_.meta_block_size = meta_block_size;
  SHARDMARK_ASSIGN_OR_RETURN(const H5Properties access, file_access(options_));
  Status closed = hdf5_status(H5Fclose(file_.release()), "H5Fclose", path_.c_str());
  if (!closed) {
    mark_hdf5_unusable();
    return closed;
  }
  SHARDMARK_ASSIGN_OR_RETURN(
      file_, hdf5_handle<H5File>(H5Fopen(path_.c_str(), H5F_ACC_RDWR, access.get()), "H5Fopen",
                                 path_.c_str()));
  return {};
}

Result<H5Group> NewHdf5File::open_group(const char* path) {
  return hdf5_handle<H5Group>(H5Gopen2(file_.get(), path, H5P_DEFAULT), "H5Gopen2", path);
}

Status NewHdf5File::close() {
  creation_ = {};
  links_ = {};
  H5F_info2_t info;
  const Status counted =
      hdf5_status(H5Fget_info2(file_.get(), &info), "H5Fget_info2", path_.c_str());
  if (counted) {
    metadata_bytes_ += static_cast<std::int64_t>(info.super.super_size + info.super.super_ext_size);
  }
  const Status closed = close_hdf5_file(file_, path_.c_str());
  if (!closed) {
    mark_hdf5_unusable();
  }
  return closed ? counted : closed;
}

}  // namespace shardmark
