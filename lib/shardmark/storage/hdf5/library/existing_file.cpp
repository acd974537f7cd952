// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/hdf5/library/existing_file.hpp"

#include <fmt/format.h>

#include "shardmark/storage/hdf5/library/dataset_facts.hpp"
#include "shardmark/storage/hdf5/library/file_locking.hpp"
#include "shardmark/storage/hdf5/library/hdf5_call.hpp"

namespace shardmark {

Result<ExistingHdf5File> ExistingHdf5File::open(const std::string& path) {
  SHARDMARK_RETURN_IF_ERROR(prepare_hdf5());
  ExistingHdf5File file;
  file.path_ = path;
  SHARDMARK_ASSIGN_OR_RETURN(const H5Properties access, unlocked_access());
  SHARDMARK_ASSIGN_OR_RETURN(
      file.file_, hdf5_handle<H5File>(H5Fopen(path.c_str(), H5F_ACC_RDWR, access.get()), "H5Fopen",
                                      path.c_str()));
  return file;
}

Result<H5Group> ExistingHdf5File::open_group(const char* name) const {
  return hdf5_handle<H5Group>(H5Gopen2(file_.get(), name, H5P_DEFAULT), "H5Gopen2", name);
}

Result<std::int64_t> ExistingHdf5File::fill(const char* name,
                                            std::span<const std::byte> bytes) const {
  SHARDMARK_ASSIGN_OR_RETURN(
      const H5Dataset dataset,
      hdf5_handle<H5Dataset>(H5Dopen2(file_.get(), name, H5P_DEFAULT), "H5Dopen2", name));
  SHARDMARK_ASSIGN_OR_RETURN(const DatasetFacts facts, dataset_facts(dataset, name));
  const auto size = static_cast<std::int64_t>(bytes.size());
  if (facts.num_elements != size || facts.itemsize != 1) {
    return Error{ErrorCode::internal,
                 fmt::format("{} of {} has room for {} bytes, {} are to be written", name, path_,
                             facts.num_elements * facts.itemsize, size)};
  }
  SHARDMARK_RETURN_IF_ERROR(hdf5_status(
      H5Dwrite(dataset.get(), H5T_STD_U8LE, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()),
      "H5Dwrite", name));
  return address_of(dataset, name);
}

Status ExistingHdf5File::close() {
  Status closed = close_hdf5_file(file_, path_.c_str());
  if (!closed) {
    mark_hdf5_unusable();
  }
  return closed;
}

}  // namespace shardmark
