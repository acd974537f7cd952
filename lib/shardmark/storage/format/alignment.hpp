// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "shardmark/core/result.hpp"
#include "shardmark/storage/format/storage_options.hpp"

namespace shardmark {

/// Where objects of at least `threshold` bytes begin in a file.
struct Alignment {
  std::int64_t bytes = 1;
  std::int64_t threshold = 1;
};

/// Local. Bytes of gaps before objects that are laid end to end in this order.
std::int64_t padding_of(std::span<const std::int64_t> object_bytes, const Alignment& alignment);

/// Local. The largest power of two from 4 KiB to 1 MiB that pads by at most 5 % of all bytes; 1
/// where none does.
Alignment choose_alignment(std::span<const std::int64_t> object_bytes);

/// Local. What the options ask for, chosen where they say nothing. Errors: invalid_argument for an
/// explicit alignment that pads by more than 5 % without allow_padding.
Result<Alignment> resolve_alignment(const StorageOptions& options,
                                    std::span<const std::int64_t> object_bytes);

}  // namespace shardmark
