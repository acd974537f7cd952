// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "shardmark/plan/merge/plan_exchange.hpp"
#include "shardmark/plan/tables/byte_codec.hpp"
#include "shardmark/plan/tables/entry_table.hpp"
#include "shardmark/protocol/state_dict.hpp"

namespace shardmark {

/// What a rank says of one entry without asking how it is cut: a tensor's layout, or an object's
/// size. Views the StateDict.
struct KnownLayout {
  std::string_view fqn;
  const TensorLayout* layout = nullptr;  // null for an object
  std::int64_t object_bytes = 0;
};

/// A StateDict sorted by what is known of its entries, each list by fqn ascending.
struct KnownLayouts {
  std::vector<KnownLayout> tensors;
  std::vector<KnownLayout> objects;
  std::vector<const StateDictEntry*> others;  // tensors whose boxes only the hooks tell

  /// Local. Calls layout() of every tensor. A layout with a Partial placement counts as none: the
  /// other hooks refuse it.
  static KnownLayouts of(const StateDict& state_dict);
};

/// What all ranks have said, in the words of one all-reduce: equality is a maximum over a value and
/// its complement.
class LayoutAgreement {
 public:
  /// Local. Once for each played rank. Calls layout() of every tensor. Lists that differ pass for
  /// equal once in 2^64; their order does not count.
  void add(const StateDict& state_dict);
  /// Local. A rank that could not say anything.
  void add_failure() { words_[failed] = 1; }

  /// Collective: one all-reduce.
  Status reduce(PlanExchange& exchange) { return exchange.all_reduce(words_, ReduceOp::max); }

  // After reduce(), the same on all ranks.
  bool any_failed() const noexcept { return words_[failed] != 0; }
  bool tensors_agree() const noexcept { return words_[tensors] == ~words_[tensors_not]; }
  bool objects_agree() const noexcept { return words_[objects] == ~words_[objects_not]; }
  bool any_others() const noexcept { return words_[others] != 0; }

 private:
  enum Word { failed, others, tensors, tensors_not, objects, objects_not, num_words };
  std::array<std::uint64_t, num_words> words_{};
};

/// Collective, slow, after the digests differed: what the ranks disagree on, as the same error on
/// every process: the fqn, each value and the ranks that have it. `layouts_of` gives a played
/// rank's state dict.
Status explain_disagreement(const std::function<Result<const StateDict*>(int rank)>& state_dict_of,
                            PlanExchange& exchange);

}  // namespace shardmark
