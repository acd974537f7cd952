// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "shardmark/storage/format/manifest.hpp"
#include "shardmark/storage/format/storage_options.hpp"

namespace shardmark {

/// Which raw files there are, and where in them each rank's chunks, which lie end to end, begin.
struct RawArrangement {
  FileLayout layout = FileLayout::shared;
  std::vector<std::string> files;         // relative names; the entry file first
  std::vector<std::int64_t> rank_starts;  // in the rank's own file
  std::int64_t entry_file_bytes = 0;      // elements and checksums
  std::int64_t checksums_address = -1;    // -1: there are none

  /// Index into `files`.
  std::uint64_t file_of_rank(std::size_t rank) const noexcept {
    return layout == FileLayout::per_rank ? rank + 1 : 0;
  }
};

/// Local. Pure. `rank_bytes`: what each rank writes; `num_checksums`: 0 if none are kept; no two
/// ranks' bytes lie in one block of `block_bytes`.
RawArrangement arrange_raw_files(Backend backend, std::span<const std::int64_t> rank_bytes,
                                 std::uint64_t num_checksums, std::int64_t block_bytes);

/// Local. Fills in files and places of `manifest`, whose entries and chunks are there. `owners`: by
/// chunk. A rank's chunks follow each other as they do in the manifest.
void describe_places(const RawArrangement& arrangement, std::span<const std::int32_t> owners,
                     Manifest& manifest);

}  // namespace shardmark
