// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/format/alignment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace shardmark {
namespace {

constexpr std::int64_t largest_choice = std::int64_t{1} << 20;
constexpr std::int64_t smallest_choice = 4096;

bool pads_little(std::int64_t padding, std::span<const std::int64_t> object_bytes) {
  const auto total = std::accumulate(object_bytes.begin(), object_bytes.end(), std::int64_t{0});
  return padding <= total / 20;
}

}  // namespace

std::int64_t padding_of(std::span<const std::int64_t> object_bytes, const Alignment& alignment) {
  // Behind a little metadata: gaps come before aligned objects.
  std::int64_t padding = 0;
  std::int64_t past = 1;  // the end so far, within one unit of alignment
  for (const std::int64_t num_bytes : object_bytes) {
    if (num_bytes >= alignment.threshold) {
      const std::int64_t gap = (alignment.bytes - past) % alignment.bytes;
      padding += gap;
      past = (past + gap) % alignment.bytes;
    }
    past = (past + num_bytes % alignment.bytes) % alignment.bytes;
  }
  return padding;
}

Alignment choose_alignment(std::span<const std::int64_t> object_bytes) {
  for (std::int64_t bytes = largest_choice; bytes >= smallest_choice; bytes /= 2) {
    const Alignment alignment{bytes, bytes};
    if (pads_little(padding_of(object_bytes, alignment), object_bytes)) {
      return alignment;
    }
  }
  return {};
}

Result<Alignment> resolve_alignment(const StorageOptions& options,
                                    std::span<const std::int64_t> object_bytes) {
  if (!options.alignment) {
    return choose_alignment(object_bytes);
  }
  Alignment alignment;
  alignment.bytes = std::max<std::int64_t>(1, *options.alignment);
  alignment.threshold =
      options.alignment_threshold > 0 ? options.alignment_threshold : alignment.bytes;
  const std::int64_t padding = padding_of(object_bytes, alignment);
  if (!options.allow_padding && !pads_little(padding, object_bytes)) {
    return Error{
        ErrorCode::invalid_argument,
        fmt::format(
            "storage.alignment = {} with alignment_threshold = {} pads {} bytes of data by {}, expected at most 5 %, or allow_padding = true",
            alignment.bytes, alignment.threshold,
            std::accumulate(object_bytes.begin(), object_bytes.end(), std::int64_t{0}), padding)};
  }
  return alignment;
}

}  // namespace shardmark
