// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/hdf5/files/entry_file.hpp"

#include <fmt/format.h>

#include "shardmark/core/checksum.hpp"
#include "shardmark/storage/format/dataset_name.hpp"
#include "shardmark/storage/hdf5/library/existing_file.hpp"
#include "shardmark/storage/hdf5/library/hdf5_call.hpp"
#include "shardmark/storage/posix/file.hpp"
#include "shardmark/storage/posix/page_residency.hpp"

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
                                            std::span<const std::byte> bytes, ReadFrom from) {
  const Hdf5Lock lock;
  const FileRange whole{path, 0, 0};
  if (from == ReadFrom::storage) {
    SHARDMARK_RETURN_IF_ERROR(drop_cached_pages({&whole, 1}));
  }
  SHARDMARK_ASSIGN_OR_RETURN(const std::int64_t address, write_manifest_dataset(path, bytes));
  SHARDMARK_RETURN_IF_ERROR(fsync_path(path));
  // COMMIT will vouch for the file as it lies there, so what lies there must be this.
  const WrittenClaim claim = claim_of_bytes(0, address, static_cast<std::int64_t>(bytes.size()),
                                            xxh3(bytes), "the manifest");
  SHARDMARK_RETURN_IF_ERROR(check_claims({&claim, 1}, {&path, 1}, from));
  return address;
}

Result<std::string> dataset_path(const Entry& entry) {
  SHARDMARK_ASSIGN_OR_RETURN(const std::string name, dataset_name(entry.fqn));
  return std::string(entry.kind == EntryKind::tensor ? tensors_group : objects_group) + "/" + name;
}

}  // namespace shardmark
