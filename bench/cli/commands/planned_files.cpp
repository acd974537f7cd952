// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/commands/planned_files.hpp"

#include <vector>

#include "shardmark/storage/format/file_arrangement.hpp"
#include "shardmark/storage/format/manifest.hpp"

namespace shardmark::bench {

PlannedFiles plan_files(const StorageOptions& options, const EntryTable& entries,
                        const ChunkTable& chunks, std::int64_t world_size) {
  const std::vector<int> node_of_rank(static_cast<std::size_t>(world_size), 0);
  const FileArrangement arrangement = arrange_files(options, entries, chunks, node_of_rank);
  PlannedFiles planned;
  planned.files = static_cast<std::int64_t>(arrangement.files.size());
  planned.layout = file_layout_name(arrangement.layout);
  Manifest manifest;
  manifest.save_id = std::string(32, '0');
  manifest.world_size = world_size;
  manifest.files = arrangement.files;
  manifest.entries = entries;
  manifest.chunks = chunks;
  for (std::size_t i = 0; i < entries.entries.size(); ++i) {
    const EntryArrangement& entry = arrangement.entries[i];
    if (entries.entries[i].kind == EntryKind::tensor) {
      ++planned.reasons[std::string(layout_reason_text(entry.reason))];
    }
    EntryLocation location;
    location.stored_as = stored_as(entry.form);
    location.first_chunk_location = manifest.chunk_locations.size();
    if (location.stored_as != StoredAs::whole) {
      manifest.chunk_locations.resize(manifest.chunk_locations.size() +
                                      entries.entries[i].num_chunks);
    }
    manifest.locations.push_back(location);
  }
  planned.metadata_bytes = static_cast<std::int64_t>(encode(manifest).size());
  return planned;
}

}  // namespace shardmark::bench
