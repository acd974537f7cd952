// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "shardmark/core/dims.hpp"
#include "shardmark/core/result.hpp"
#include "shardmark/storage/hdf5/library/handle.hpp"

namespace shardmark {

/// What HDF5 says of a dataset.
struct DatasetFacts {
  int ndim = 0;
  std::int64_t num_elements = 0;
  std::int64_t itemsize = 0;  // bytes
};

/// Local. `name` is for messages, here and below.
Result<DatasetFacts> dataset_facts(const H5Dataset& dataset, const std::string& name);

/// Local. Where a contiguous dataset lies in its file. Errors: io_error where it has no place yet.
Result<std::int64_t> address_of(const H5Dataset& dataset, const std::string& name);

/// Local. Where the hdf5_chunk that begins at `offsets` lies.
Result<std::int64_t> tile_address(const H5Dataset& dataset, const Dims& offsets);

}  // namespace shardmark
