// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/direct/raw_arrangement.hpp"

#include <fmt/format.h>

#include "shardmark/core/rounding.hpp"
#include "shardmark/storage/format/commit_record.hpp"

namespace shardmark {

RawArrangement arrange_raw_files(Backend backend, std::span<const std::int64_t> rank_bytes,
                                 std::uint64_t num_checksums, std::int64_t block_bytes) {
  const bool file_a_rank = backend == Backend::posix;
  RawArrangement arrangement;
  arrangement.layout = file_a_rank ? FileLayout::per_rank : FileLayout::shared;
  arrangement.files.emplace_back(raw_entry_file_name);
  std::int64_t at = 0;
  for (std::size_t rank = 0; rank < rank_bytes.size(); ++rank) {
    if (file_a_rank) {
      arrangement.files.push_back(fmt::format("rank-{:05}.raw", rank));
    }
    arrangement.rank_starts.push_back(file_a_rank ? 0 : at);
    at += round_up(rank_bytes[rank], block_bytes);
  }
  arrangement.entry_file_bytes = file_a_rank ? 0 : at;
  if (num_checksums > 0) {
    arrangement.checksums_address = arrangement.entry_file_bytes;
    arrangement.entry_file_bytes += static_cast<std::int64_t>(8 * num_checksums);
  }
  return arrangement;
}

void describe_places(const RawArrangement& arrangement, std::span<const std::int32_t> owners,
                     Manifest& manifest) {
  manifest.layout = arrangement.layout;
  manifest.files = arrangement.files;
  manifest.checksums_address = arrangement.checksums_address;
  manifest.locations.assign(manifest.entries.entries.size(), {});
  std::vector<std::int64_t> next = arrangement.rank_starts;
  for (std::size_t i = 0; i < manifest.entries.entries.size(); ++i) {
    const Entry& entry = manifest.entries.entries[i];
    if (entry.num_chunks == 0) {
      continue;
    }
    manifest.locations[i].stored_as = StoredAs::separate;
    manifest.locations[i].first_chunk_location = manifest.chunk_locations.size();
    for (std::uint64_t c = entry.first_chunk; c < entry.first_chunk + entry.num_chunks; ++c) {
      const auto owner = static_cast<std::size_t>(owners[c]);
      manifest.chunk_locations.push_back({arrangement.file_of_rank(owner), next[owner]});
      next[owner] +=
          manifest.chunks.box(c, entry.sizes.ndim()).num_elements() * element_size(entry.dtype);
    }
  }
}

}  // namespace shardmark
