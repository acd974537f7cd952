// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/hdf5/files/entry_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "shardmark/storage/format/dataset_name.hpp"
#include "shardmark/storage/hdf5/library/existing_file.hpp"
#include "shardmark/storage/hdf5/library/hdf5_call.hpp"
#include "shardmark/storage/posix/file.hpp"

namespace shardmark {

std::string packed_dataset(Dtype dtype) {
  return fmt::format("{}/{}", packed_group, dtype_name(dtype));
}

std::string chunk_dataset_name(const std::string& name, const Dims& offsets) {
  return name + to_string(offsets);
}

Result<std::int64_t> write_manifest_dataset(const std::string& path,
                                            std::span<const std::byte> bytes) {
  SHARDMARK_ASSIGN_OR_RETURN(ExistingHdf5File file, ExistingHdf5File::open(path));
  const auto address = file.fill(manifest_dataset, bytes);
  const Status closed = file.close();
  SHARDMARK_RETURN_IF_ERROR(address);
  SHARDMARK_RETURN_IF_ERROR(closed);
  return *address;
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
