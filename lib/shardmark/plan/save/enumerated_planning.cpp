// SPDX-License-Identifier: Apache-2.0
#include "shardmark/plan/save/enumerated_planning.hpp"

#include <optional>
#include <utility>

#include "shardmark/plan/merge/local_save_plan.hpp"
#include "shardmark/plan/save/make_global_plan.hpp"

namespace shardmark {

/// Keeps the plans of every part of the tree that is still open: of a real world, this rank's own;
/// of a virtual one, those on the way from the rank in hand to rank 0.
class EnumeratedPlanning::TreeMerge final : public PlanMerge {
 public:
  TreeMerge(EnumeratedPlanning& planning, const PlanTree& tree, const PlanningCall& call)
      : planning_(planning), tree_(tree), call_(call) {}

  Status begin(int rank) override {
    SHARDMARK_ASSIGN_OR_RETURN(Bytes own, planning_.make_message(call_, rank));
    open_.push_back({MergedPlans(rank, planning_.keeps_order()), {}});
    if (is_leaf(rank)) {
      open_.back().own = std::move(own);
      return {};
    }
    call_.on_step(PlanStep::global_plan);
    Status added = open_.back().merged.add(rank, own);
    call_.on_step(PlanStep::gather);
    return added;
  }

  Status take(int /*rank*/, int child, std::span<const std::byte> bytes) override {
    call_.on_step(PlanStep::global_plan);
    MergedPlans& merged = open_.back().merged;
    Status added = is_leaf(child) ? merged.add(child, bytes)
                                  : merged.add_merged({child, tree_.end_of(child)}, bytes);
    call_.on_step(PlanStep::gather);
    return added;
  }

  Result<Bytes> make(int rank) override {
    Open done = std::move(open_.back());
    open_.pop_back();
    if (is_leaf(rank)) {
      return std::move(done.own);
    }
    call_.on_step(PlanStep::global_plan);
    ByteWriter out;
    encode(done.merged, out);
    call_.on_step(PlanStep::gather);
    return std::move(out).take();
  }

  MergedPlans take_all() { return std::move(open_.front().merged); }

 private:
  struct Open {
    MergedPlans merged;
    Bytes own;  // of a rank that nobody sends to
  };
  /// Nobody sends to it, and it sends its plan as it is.
  bool is_leaf(int rank) const { return rank != 0 && tree_.end_of(rank) == rank + 1; }

  EnumeratedPlanning& planning_;
  const PlanTree& tree_;
  const PlanningCall& call_;
  std::vector<Open> open_;
};

Result<MergedPlans> EnumeratedPlanning::gather_one_by_one(const PlanningCall& call) {
  MergedPlans merged(0, keeps_order());
  SHARDMARK_RETURN_IF_ERROR(call.exchange.gather([&](int rank) { return make_message(call, rank); },
                                                 [&](int rank, std::span<const std::byte> bytes) {
                                                   call.on_step(PlanStep::global_plan);
                                                   Status added = merged.add(rank, bytes);
                                                   call.on_step(PlanStep::gather);
                                                   return added;
                                                 }));
  return merged;
}

Result<MergedPlans> EnumeratedPlanning::gather_along(const PlanTree& tree,
                                                     const PlanningCall& call) {
  TreeMerge merge(*this, tree, call);
  SHARDMARK_RETURN_IF_ERROR(call.exchange.gather_along(tree, merge));
  return call.exchange.is_root() ? merge.take_all() : MergedPlans();
}

Result<SavePlanning> EnumeratedPlanning::plan(const PlanningCall& call) {
  PlanExchange& exchange = call.exchange;
  call.on_step(PlanStep::gather);
  std::optional<PlanTree> tree;
  if (gathering_ == Gathering::along_tree) {
    tree.emplace(exchange.world_size(), [&](int rank) { return exchange.node_of(rank); });
  }
  auto merged = tree ? gather_along(*tree, call) : gather_one_by_one(call);
  SHARDMARK_RETURN_IF_ERROR(merged);
  if (after_gather_) {
    SHARDMARK_RETURN_IF_ERROR(after_gather_());
  }
  SavePlanning planning;
  Status decided;
  if (exchange.is_root()) {
    call.on_step(PlanStep::global_plan);
    auto global = make_global_plan(std::move(*merged), exchange.world_size(), policy_, cover_);
    decided = Status(global);
    if (global) {
      planning.global = std::make_shared<GlobalSavePlan>(std::move(*global));
    }
  }
  call.on_step(PlanStep::wait);
  SHARDMARK_RETURN_IF_ERROR(exchange.agree(decided));
  call.on_step(PlanStep::scatter);
  SHARDMARK_RETURN_IF_ERROR(share_entries(planning, exchange));
  SHARDMARK_RETURN_IF_ERROR(share_plans(planning, tree ? &*tree : nullptr, call));
  return planning;
}

Result<PlanExchange::Bytes> EnumeratedPlanning::make_message(const PlanningCall& call, int rank) {
  call.on_step(PlanStep::hooks);
  SHARDMARK_ASSIGN_OR_RETURN(const StateDict* state_dict, call.state_dict_of(rank));
  items_.clear();
  SHARDMARK_RETURN_IF_ERROR(collect_(*state_dict, items_));
  call.on_step(PlanStep::local_plan);
  ByteWriter out;
  out.reserve(last_message_bytes_);
  SHARDMARK_RETURN_IF_ERROR(encode_local_save_plan(items_, empty_boxes_for(policy_), out));
  last_message_bytes_ = out.size();
  call.on_step(PlanStep::gather);
  return std::move(out).take();
}

Status EnumeratedPlanning::share_entries(SavePlanning& planning, PlanExchange& exchange) {
  PlanExchange::Bytes bytes;
  if (planning.global) {
    planning.entries = entries_of(planning.global);
    ByteWriter out;
    encode(*planning.entries, out);
    bytes = std::move(out).take();
    planning.global->statistics.bytes_scattered +=
        bytes.size() * static_cast<std::uint64_t>(exchange.world_size() - 1);
  }
  SHARDMARK_RETURN_IF_ERROR(exchange.broadcast(bytes));
  Status decoded;
  if (!planning.global) {
    ByteReader in(bytes);
    auto entries = decode_entry_table(in);
    decoded = Status(entries);
    if (entries) {
      planning.entries = std::make_shared<EntryTable>(std::move(*entries));
    }
  }
  return exchange.agree(decoded);
}

Status EnumeratedPlanning::share_plans(SavePlanning& planning, const PlanTree* tree,
                                       const PlanningCall& call) {
  const auto make = [&](int rank) -> Result<PlanExchange::Bytes> {
    ByteWriter out;
    encode(planning.global->plan_of(rank), *planning.entries, out);
    planning.global->statistics.bytes_scattered += out.size();
    return std::move(out).take();
  };
  const auto take_own = [&](int rank, std::span<const std::byte> bytes) -> Status {
    SHARDMARK_ASSIGN_OR_RETURN(SavePlan plan, decode_save_plan(bytes, *planning.entries));
    return call.take(rank, std::make_shared<const SavePlan>(std::move(plan)));
  };
  return tree == nullptr ? call.exchange.scatter(make, take_own)
                         : call.exchange.scatter_along(*tree, make, take_own);
}

}  // namespace shardmark
