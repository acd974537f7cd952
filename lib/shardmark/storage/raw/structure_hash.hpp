// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/storage/format/manifest.hpp"

namespace shardmark {

/// Local. The ranges [begin, end) of an entry file of `file_bytes` bytes that hold no element data,
/// ascending, none empty.
std::vector<std::pair<std::int64_t, std::int64_t>> ranges_outside_elements(const Manifest& manifest,
                                                                           std::int64_t file_bytes);

/// Local. XXH3-64 of the entry file outside element data: superblock, headers, names, padding,
/// manifest and checksums. Object bytes count as element data. HDF5's own structure has too few
/// checks to be opened unseen; after this one every byte of it is as it was written. Reads the
/// file's metadata only.
Result<std::uint64_t> structure_hash(const std::string& entry_file, const Manifest& manifest);

}  // namespace shardmark
