// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "shardmark/core/result.hpp"
#include "shardmark/storage/contract/placed_files.hpp"
#include "shardmark/storage/contract/save_files.hpp"

namespace shardmark {

/// Local, rank 0. What all ranks will write of elements and objects.
std::int64_t bytes_to_store(const SaveTarget& target);

/// Local. For a file with holes: reserves what this rank writes into `file`, and nothing between.
/// Errors: no_space, io_error.
Status reserve_pieces(const SaveTarget& target, const PlacedFiles& placed, std::uint64_t file);

}  // namespace shardmark
