// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "shardmark/plan/load/load_plan.hpp"
#include "shardmark/testing/box_tensor.hpp"

namespace shardmark::testing {

/// A saved checkpoint of given tilings.
struct Saved {
  EntryTable entries;
  ChunkTable chunks;

  void add(const std::string& fqn, Dtype dtype, const Dims& sizes, std::vector<Box> boxes,
           EntryKind kind = EntryKind::tensor) {
    std::sort(boxes.begin(), boxes.end());
    entries.entries.push_back({fqn, kind, dtype, sizes, entries.num_chunks(), boxes.size()});
    for (const Box& box : boxes) {
      chunks.append(box);
    }
  }
};

inline Result<LoadPlan> plan_load(const Saved& saved, const BoxState& wanted,
                                  MissingEntries missing = MissingEntries::refuse) {
  return make_load_plan(*collect_wanted(wanted.state), saved.entries, saved.chunks, missing);
}

}  // namespace shardmark::testing
