// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/storage/format/manifest.hpp"
#include "shardmark/storage/posix/page_residency.hpp"

namespace shardmark {

/// Where a file's element data lies: address and bytes, none overlapping, in any order.
using ElementRanges = std::vector<std::pair<std::int64_t, std::int64_t>>;

/// Local. By file of the manifest. Object bytes count as element data; what pads an hdf5_chunk does
/// not.
std::vector<ElementRanges> element_ranges(const Manifest& manifest);
/// Local. Of the entry file alone.
ElementRanges entry_file_elements(const Manifest& manifest);

/// Local. The ranges [begin, end) of a file of `file_bytes` bytes that hold no element data,
/// ascending, none empty.
std::vector<std::pair<std::int64_t, std::int64_t>> ranges_outside(ElementRanges elements,
                                                                  std::int64_t file_bytes);

/// Local. XXH3-64 of a file outside element data: superblock, headers, names, padding, manifest and
/// checksums. HDF5's own structure has too few checks to be opened unseen; after this one every
/// byte of it is as it was written. Reads the file's metadata and padding only, with
/// ReadFrom::storage twice. Errors: io_error if storage has other bytes than the cache had.
Result<std::uint64_t> hash_outside(const std::string& path, const ElementRanges& elements,
                                   ReadFrom from);

}  // namespace shardmark
