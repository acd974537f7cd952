// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "shardmark/core/result.hpp"
#include "shardmark/storage/manifest.hpp"

namespace shardmark {

/// Local. XXH3-64 of the entry file outside element data: superblock, headers, names, padding,
/// manifest and checksums. Object bytes count as element data. HDF5's own structure has too few
/// checks to be opened unseen; after this one every byte of it is as it was written. Reads the
/// file's metadata only.
Result<std::uint64_t> structure_hash(const std::string& entry_file, const Manifest& manifest);

}  // namespace shardmark
