// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "shardmark/core/result.hpp"
#include "shardmark/storage/hdf5/library/handle.hpp"

namespace shardmark {

/// A file that one rank opens again, alone, to change what is in it and not its structure.
class ExistingHdf5File {
 public:
  /// Local.
  static Result<ExistingHdf5File> open(const std::string& path);

  /// Local. Objects must be closed before the file.
  Result<H5Group> open_group(const char* name) const;
  /// Local. Fills a dataset of bytes, which must be as long as `bytes`. Returns its address.
  Result<std::int64_t> fill(const char* dataset, std::span<const std::byte> bytes) const;

  /// Local. The close writes, so its status matters; after a failure HDF5 is unusable.
  Status close();

 private:
  ExistingHdf5File() = default;

  std::string path_;
  H5File file_;
};

}  // namespace shardmark
