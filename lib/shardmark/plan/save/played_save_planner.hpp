// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "shardmark/plan/merge/played_world.hpp"
#include "shardmark/plan/owners/dedup.hpp"
#include "shardmark/plan/save/save_planner.hpp"

namespace shardmark {

/// How a save is played.
struct PlayedSave {
  PlayedWorld world;
  PlayedParts parts = PlayedParts::shares;
  /// Any rank's state dict, without memory: for planners that must hear of every rank, all of which
  /// each process plays then by itself. None: such planners are refused.
  StateDictOfRank whole_world = {};
};

/// Plans for some ranks of a bigger world. Each process plans as the rank that it plays, by
/// `kind` and `policy` in a world of that size; what comes out is a plan of the processes' own
/// small world, whose chunks are those of the played ranks alone and leave holes in their tensors:
/// whoever makes files of it needs to know nothing of the bigger one. Entries of which nobody
/// played has a part are not in it. What playing adds to planning is told as PlanStep::scatter.
///
/// Errors: unsupported for what needs to hear of every rank where it cannot.
std::unique_ptr<SavePlanner> make_played_save_planner(PlannerKind kind, DedupPolicy policy,
                                                      PlayedSave played);

}  // namespace shardmark
