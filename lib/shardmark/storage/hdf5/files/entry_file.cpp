// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/hdf5/files/entry_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "shardmark/storage/format/dataset_name.hpp"
#include "shardmark/storage/hdf5/library/hdf5_call.hpp"
#include "shardmark/storage/posix/file.hpp"

namespace shardmark {

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
