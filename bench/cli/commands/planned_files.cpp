// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/commands/planned_files.hpp"

#include <vector>

#include "shardmark/storage/direct/raw_arrangement.hpp"
#include "shardmark/storage/format/file_arrangement.hpp"
#include "shardmark/storage/format/manifest.hpp"
#include "shardmark/storage/posix/file_system.hpp"

namespace shardmark::bench {
namespace {

/// Where HDF5 will put what is not said: addresses have one length in the manifest, but for the
/// checksums', which lie behind the elements.
void describe_hdf5_places(const StorageOptions& options, GlobalSavePlan& plan, Manifest& manifest,
                          PlannedFiles& planned) {
  const std::vector<int> node_of_rank(static_cast<std::size_t>(manifest.world_size), 0);
  const FileArrangement arrangement =
      arrange_files(options, manifest.entries, manifest.chunks, node_of_rank);
  if (arrangement.has(EntryForm::separate)) {
    plan.ensure_owners();
  }
  manifest.layout = arrangement.layout;
  manifest.files = arrangement.files;
  manifest.checksums_address =
      options.checksum == ChecksumKind::xxh3 ? plan.statistics.num_bytes : -1;
  for (std::size_t i = 0; i < manifest.entries.entries.size(); ++i) {
    const Entry& entry = manifest.entries.entries[i];
    const EntryArrangement& arranged = arrangement.entries[i];
    if (entry.kind == EntryKind::tensor) {
      ++planned.reasons[std::string(layout_reason_text(arranged.reason))];
    }
    EntryLocation location;
    location.stored_as = stored_as(arranged.form);
    location.reason = arranged.reason;
    location.first_chunk_location = manifest.chunk_locations.size();
    for (std::uint64_t c = 0; location.stored_as != StoredAs::whole && c < entry.num_chunks; ++c) {
      ChunkLocation at;
      if (arranged.form == EntryForm::separate) {
        const auto owner = static_cast<std::size_t>(plan.owners[entry.first_chunk + c]);
        at.file = arrangement.file_of_rank[owner];
      }
      manifest.chunk_locations.push_back(at);
    }
    manifest.locations.push_back(location);
  }
}

void describe_raw_places(const StorageOptions& options, GlobalSavePlan& plan, Manifest& manifest) {
  plan.ensure_owners();
  plan.ensure_statistics();
  const bool has_checksums = options.checksum == ChecksumKind::xxh3;
  describe_places(
      arrange_raw_files(options.backend, plan.statistics.rank_bytes,
                        has_checksums ? manifest.entries.num_chunks() : 0, sharing_block()),
      plan.owners, manifest);
}

}  // namespace

PlannedFiles plan_files(const StorageOptions& options, const EntryTable& entries,
                        GlobalSavePlan& plan, std::int64_t world_size) {
  PlannedFiles planned;
  if (traits_of(options.backend).discards) {
    planned.layout = "none";
    return planned;
  }
  Manifest manifest;
  manifest.save_id = std::string(32, '0');
  manifest.world_size = world_size;
  manifest.checksum = options.checksum;
  manifest.entries = entries;
  manifest.chunks = plan.chunks;
  if (traits_of(options.backend).has_file_layouts) {
    describe_hdf5_places(options, plan, manifest, planned);
  } else {
    describe_raw_places(options, plan, manifest);
  }
  planned.files = static_cast<std::int64_t>(manifest.files.size());
  planned.layout = file_layout_name(manifest.layout);
  planned.metadata_bytes = static_cast<std::int64_t>(encode(manifest).size());
  if (manifest.checksums_address >= 0) {
    planned.checksum_bytes = static_cast<std::int64_t>(8 * entries.num_chunks());
  }
  return planned;
}

}  // namespace shardmark::bench
