// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shardmark/core/box.hpp"
#include "shardmark/plan/tables/chunk_table.hpp"
#include "shardmark/plan/tables/entry_table.hpp"
#include "shardmark/protocol/read_item.hpp"
#include "shardmark/protocol/state_dict.hpp"

namespace shardmark {

/// One piece that a rank reads: the common part of a saved chunk and of a local box.
struct PlannedRead {
  std::uint32_t entry = 0;   // in the EntryTable
  std::uint64_t chunk = 0;   // among all chunks
  Dims source;               // corner of the hook's box: what get_tensor_shard is asked for
  Box box;                   // what is read, in the global tensor
  bool whole_chunk = false;  // the box is all of the chunk
};

/// One rank's reads, by entry, then local box, then chunk.
struct LoadPlan {
  std::vector<PlannedRead> reads;
  std::int64_t num_bytes = 0;                 // delivered to this rank
  std::vector<std::uint32_t> wanted_entries;  // in the EntryTable, with or without bytes for us
  std::vector<std::string> missing;           // wanted and not in the checkpoint; left alone
  // With MissingEntries::of_others: entries of which a part is not there, as the state dict has
  // them, and the bytes of those parts.
  std::vector<std::string> absent;
  std::int64_t absent_bytes = 0;
};

/// What a wanted entry that the checkpoint does not have means, and elements that lie in no chunk:
/// always an error, but where ranks that nobody played would have written them.
enum class MissingEntries : std::uint8_t { refuse, leave_alone, of_others };

/// One entry that a rank wants: its local boxes.
struct WantedEntry {
  const StateDictEntry* entry = nullptr;
  std::vector<ChunkStorageMetadata> boxes;
};

/// Local. Calls create_chunk_list of every entry. Errors: the hook's, naming the fqn.
Result<std::vector<WantedEntry>> collect_wanted(const StateDict& state_dict);

/// Local. What this rank must read. Errors, all before any byte is read: not_found for missing
/// entries unless they are left alone, mismatch for another shape, dtype or kind, data_loss if the
/// saved chunks do not cover every element of a wanted box exactly once.
Result<LoadPlan> make_load_plan(std::span<const WantedEntry> wanted, const EntryTable& entries,
                                const ChunkTable& chunks,
                                MissingEntries missing = MissingEntries::refuse);

/// Local. Every (saved chunk, wanted box) pair that meets: DCP's create_read_items for one tensor.
/// A 0-d pair always meets; an empty wanted box strictly inside a chunk gives an item of length 0,
/// as in DCP.
std::vector<ReadItem> create_read_items(std::string_view fqn, std::span<const Box> saved_chunks,
                                        std::span<const Box> wanted_boxes);

}  // namespace shardmark
