// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "shardmark/core/dims.hpp"
#include "shardmark/core/result.hpp"
#include "shardmark/storage/format/alignment.hpp"
#include "shardmark/storage/hdf5/library/handle.hpp"

namespace shardmark {

struct NewFileOptions {
  Alignment alignment;
  std::int64_t meta_block_size = 0;  // bytes
  bool holds_virtual = false;        // virtual datasets, which older formats do not have
  std::uint64_t most_tiles = 0;      // hdf5_chunks of the dataset that has most
};

/// A file that one rank lays out alone: space for every dataset at once, no fill values, nothing
/// written. Counts the bytes that HDF5 needs for itself.
class NewHdf5File {
 public:
  /// Local. Errors: io_error, no_space; a file that is there is never replaced.
  static Result<NewHdf5File> create(const std::string& path, const NewFileOptions& options);

  Result<H5Group> make_group(const char* path);
  Result<H5Group> open_group(const char* path);
  /// Local. A dataset with a link in `group`, of the creation properties given or contiguous.
  Result<H5Dataset> make_dataset(const H5Group& group, const std::string& name, const H5Type& type,
                                 const Dims& sizes, const H5Properties* creation = nullptr);
  /// Local. Creation properties of a dataset in tiles of `tile`.
  static Result<H5Properties> tiled(const Dims& tile);

  /// Local. Counts an object's headers and indices.
  Status count_metadata(hid_t object);
  std::int64_t metadata_bytes() const noexcept { return metadata_bytes_; }

  /// Local. Closes the file and opens it again: as long as its datasets say, and what is made from
  /// here on lies behind them, since HDF5 has forgotten the gaps that alignment left. No object of
  /// the file may be open. `meta_block_size` as in NewFileOptions. After a failure HDF5 is
  /// unusable.
  Status reopen(std::int64_t meta_block_size);
  /// Local. The close writes, so its status matters; after a failure HDF5 is unusable.
  Status close();

 private:
  NewHdf5File() = default;

  std::string path_;
  NewFileOptions options_;
  H5File file_;
  H5Properties creation_;
  H5Properties links_;
  std::int64_t metadata_bytes_ = 0;
};

/// Local. Early allocation and no fill.
Result<H5Properties> dataset_creation();
Result<H5Space> dataspace_of(const Dims& sizes);

}  // namespace shardmark
