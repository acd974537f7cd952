// SPDX-License-Identifier: Apache-2.0
#include "shardmark/plan/enumerated_planning.hpp"

#include "shardmark/plan/global_plan_builder.hpp"
#include "shardmark/plan/local_save_plan.hpp"

namespace shardmark {

Result<SavePlanning> EnumeratedPlanning::plan(const StateDictOfRank& state_dict_of,
                                              PlanExchange& exchange, const TakeSavePlan& take,
                                              const OnPlanStep& on_step) {
  std::optional<GlobalPlanBuilder> builder;
  if (exchange.is_root()) {
    builder.emplace(exchange.world_size());
  }
  on_step(PlanStep::gather);
  SHARDMARK_RETURN_IF_ERROR(
      exchange.gather([&](int rank) { return make_message(state_dict_of, rank, on_step); },
                      [&](int rank, std::span<const std::byte> bytes) {
                        on_step(PlanStep::global_plan);
                        const Status added = builder->add(rank, bytes);
                        on_step(PlanStep::gather);
                        return added;
                      }));

  if (after_gather_) {
    SHARDMARK_RETURN_IF_ERROR(after_gather_());
  }
  SavePlanning planning;
  Status decided;
  if (builder) {
    on_step(PlanStep::global_plan);
    auto global = builder->finish(policy_);
    builder.reset();
    decided = Status(global);
    if (global) {
      planning.global = std::make_shared<GlobalSavePlan>(std::move(*global));
    }
  }
  on_step(PlanStep::wait);
  SHARDMARK_RETURN_IF_ERROR(exchange.agree(decided));
  on_step(PlanStep::scatter);
  SHARDMARK_RETURN_IF_ERROR(share_entries(planning, exchange));
  SHARDMARK_RETURN_IF_ERROR(share_plans(planning, exchange, take));
  return planning;
}

Result<PlanExchange::Bytes> EnumeratedPlanning::make_message(const StateDictOfRank& state_dict_of,
                                                             int rank, const OnPlanStep& on_step) {
  on_step(PlanStep::hooks);
  SHARDMARK_ASSIGN_OR_RETURN(const StateDict* state_dict, state_dict_of(rank));
  items_.clear();
  SHARDMARK_RETURN_IF_ERROR(collect_(*state_dict, items_));
  on_step(PlanStep::local_plan);
  SHARDMARK_ASSIGN_OR_RETURN(const LocalSavePlan local,
                             make_local_save_plan(items_, empty_boxes_for(policy_)));
  ByteWriter out;
  encode(local, out);
  on_step(PlanStep::gather);
  return std::move(out).take();
}

Status EnumeratedPlanning::share_entries(SavePlanning& planning, PlanExchange& exchange) {
  PlanExchange::Bytes bytes;
  if (planning.global) {
    planning.entries = planning.global->entries;
    ByteWriter out;
    encode(planning.entries, out);
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
      planning.entries = std::move(*entries);
    }
  }
  return exchange.agree(decoded);
}

Status EnumeratedPlanning::share_plans(SavePlanning& planning, PlanExchange& exchange,
                                       const TakeSavePlan& take) {
  return exchange.scatter(
      [&](int rank) -> Result<PlanExchange::Bytes> {
        ByteWriter out;
        encode(planning.global->plan_of(rank), planning.entries, out);
        planning.global->statistics.bytes_scattered += out.size();
        return std::move(out).take();
      },
      [&](int rank, std::span<const std::byte> bytes) -> Status {
        SHARDMARK_ASSIGN_OR_RETURN(SavePlan plan, decode_save_plan(bytes, planning.entries));
        return take(rank, std::move(plan));
      });
}

}  // namespace shardmark
