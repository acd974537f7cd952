// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "shardmark/core/result.hpp"
#include "shardmark/plan/dedup.hpp"
#include "shardmark/plan/local_save_plan.hpp"
#include "shardmark/plan/save_plan.hpp"

namespace shardmark {

/// Local. What local plans of a save under `policy` must say.
constexpr EmptyBoxes empty_boxes_for(DedupPolicy policy) noexcept {
  return policy == DedupPolicy::dcp ? EmptyBoxes::keep : EmptyBoxes::leave_out;
}

/// The coordinator's merge: local plans go in one by one, one global plan comes out. Holds each
/// distinct chunk once (about 24 bytes and its coordinates) and each distinct set of holders once,
/// so memory grows with what is stored and not with ranks times tensors.
class GlobalPlanBuilder {
 public:
  explicit GlobalPlanBuilder(int world_size);
  ~GlobalPlanBuilder();
  GlobalPlanBuilder(const GlobalPlanBuilder&) = delete;
  GlobalPlanBuilder& operator=(const GlobalPlanBuilder&) = delete;

  /// Local. Ranks ascending, each once. Errors: data_loss for damaged bytes; invalid_argument if
  /// this rank disagrees with an earlier one on kind, dtype or shape of an fqn or on the size of a
  /// chunk (naming fqn, both ranks and both values), or lists a chunk twice.
  Status add(int rank, std::span<const std::byte> encoded_local_plan);

  /// Local. Validates (every element of every tensor in exactly one chunk, whatever the world
  /// size), de-duplicates and balances. Call once. Errors: invalid_argument naming the fqn and the
  /// first element that is missing or doubled.
  Result<GlobalSavePlan> finish(DedupPolicy policy);

 private:
  struct State;
  class Assembly;
  std::unique_ptr<State> state_;
};

}  // namespace shardmark
