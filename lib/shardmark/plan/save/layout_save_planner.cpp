// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include "shardmark/plan/merge/known_layouts.hpp"
#include "shardmark/plan/merge/local_save_plan.hpp"
#include "shardmark/plan/owners/holder_balance.hpp"
#include "shardmark/plan/save/enumerated_planning.hpp"
#include "shardmark/plan/save/save_planner.hpp"

namespace shardmark {
namespace {

/// What a rank derives by itself: the tables of all entries that have a layout.
struct Derivation {
  EntryTable entries;
  ChunkTable chunks;
};

/// An object is held whole by every rank.
Result<TensorLayout> object_layout(std::int64_t num_bytes, std::int64_t world_size) {
  SHARDMARK_ASSIGN_OR_RETURN(const DeviceMesh world, DeviceMesh::row_major({world_size}));
  const std::array<Placement, 1> whole = {Placement::replicate()};
  return make_tensor_layout({num_bytes}, Dtype::uint8, world, whole);
}

Error without_grid(std::string_view fqn) {
  return {
      ErrorCode::unsupported,
      std::string("'").append(fqn) +
          "': its strided layout has millions of runs; planner.kind = \"coordinator\" lists them"};
}

/// Local. O(entries). `objects` only where all ranks have the same ones.
Result<Derivation> derive(const KnownLayouts& known, bool with_objects, std::int64_t world_size) {
  Derivation derived;
  GridCache grids;
  const std::span<const KnownLayout> objects =
      with_objects ? std::span<const KnownLayout>(known.objects) : std::span<const KnownLayout>();
  derived.entries.entries.reserve(known.tensors.size() + objects.size());
  const auto append = [&](const KnownLayout& item) -> Status {
    TensorLayout layout;
    if (item.layout != nullptr) {
      layout = *item.layout;
    } else {
      SHARDMARK_ASSIGN_OR_RETURN(layout, object_layout(item.object_bytes, world_size));
    }
    auto grid = grids.get(layout);
    if (grid == nullptr) {
      return without_grid(item.fqn);
    }
    derived.entries.entries.push_back(
        {std::string(item.fqn), item.layout == nullptr ? EntryKind::object : EntryKind::tensor,
         layout.dtype, layout.global_sizes, derived.chunks.size(), grid->num_chunks()});
    derived.chunks.append(std::move(grid));
    return {};
  };
  std::size_t o = 0;
  for (const KnownLayout& tensor : known.tensors) {
    for (; o < objects.size() && objects[o].fqn < tensor.fqn; ++o) {
      SHARDMARK_RETURN_IF_ERROR(append(objects[o]));
    }
    SHARDMARK_RETURN_IF_ERROR(append(tensor));
  }
  for (; o < objects.size(); ++o) {
    SHARDMARK_RETURN_IF_ERROR(append(objects[o]));
  }
  return derived;
}

/// Both parts as one, entries by fqn, and the new numbers of each part's entries.
struct MergedTables {
  EntryTable entries;
  ChunkTable chunks;
  std::vector<std::uint32_t> place_of_derived;
  std::vector<std::uint32_t> place_of_listed;
};

MergedTables merge(const Derivation& derived, const EntryTable& listed,
                   const ChunkTable* listed_chunks) {
  MergedTables merged;
  const auto& a = derived.entries.entries;
  const auto& b = listed.entries;
  std::uint64_t first_chunk = 0;
  for (std::size_t i = 0, j = 0; i < a.size() || j < b.size();) {
    const bool from_derived = j == b.size() || (i < a.size() && a[i].fqn < b[j].fqn);
    const Entry& entry = from_derived ? a[i++] : b[j++];
    (from_derived ? merged.place_of_derived : merged.place_of_listed)
        .push_back(static_cast<std::uint32_t>(merged.entries.entries.size()));
    if (from_derived) {
      if (auto grid = derived.chunks.shared_grid_of(entry)) {
        merged.chunks.append(std::move(grid));
      }
    } else if (listed_chunks != nullptr) {
      for (std::uint64_t c = 0; c < entry.num_chunks; ++c) {
        merged.chunks.append(listed_chunks->box(entry.first_chunk + c, entry.sizes.ndim()));
      }
    }
    merged.entries.entries.push_back(entry);
    merged.entries.entries.back().first_chunk = first_chunk;
    first_chunk += entry.num_chunks;
  }
  return merged;
}

class LayoutSavePlanner final : public SavePlanner {
 public:
  explicit LayoutSavePlanner(DedupPolicy policy) : policy_(policy) {}

  Result<SavePlanning> plan(const PlanningCall& call) override {
    PlanExchange& exchange = call.exchange;
    LayoutAgreement agreement;
    std::vector<SavePlan> own;
    std::optional<Derivation> derived;
    Status derived_status;
    for (const int rank : exchange.played_ranks()) {
      auto plan = plan_rank(rank, call, agreement, derived);
      if (!plan) {
        agreement.add_failure();
        derived_status = Status(plan);
        break;
      }
      own.push_back(std::move(*plan));
    }
    call.on_step(PlanStep::gather);
    SHARDMARK_RETURN_IF_ERROR(agreement.reduce(exchange));
    if (agreement.any_failed()) {
      call.on_step(PlanStep::wait);
      return exchange.agree(derived_status).error();
    }
    if (!agreement.tensors_agree()) {
      return explain_disagreement(call.state_dict_of, exchange).error();
    }
    if (!agreement.any_others() && agreement.objects_agree()) {
      call.on_step(PlanStep::global_plan);
      return finish(std::move(*derived), own, call);
    }
    return plan_mixed(call, agreement.objects_agree());
  }

 private:
  /// What `rank` writes, if all agree; derived is made anew for each rank, as each would.
  Result<SavePlan> plan_rank(int rank, const PlanningCall& call, LayoutAgreement& agreement,
                             std::optional<Derivation>& derived) const {
    call.on_step(PlanStep::hooks);
    SHARDMARK_ASSIGN_OR_RETURN(const StateDict* state_dict, call.state_dict_of(rank));
    const KnownLayouts known = KnownLayouts::of(*state_dict);
    call.on_step(PlanStep::local_plan);
    agreement.add(*state_dict);
    SHARDMARK_ASSIGN_OR_RETURN(derived, derive(known, true, call.exchange.world_size()));
    return layout_writes(rank, derived->entries, derived->chunks, policy_);
  }

  Result<SavePlanning> finish(Derivation derived, std::vector<SavePlan>& own,
                              const PlanningCall& call) const {
    const PlanExchange& exchange = call.exchange;
    SavePlanning planning;
    if (exchange.is_root()) {
      planning.global = std::make_shared<GlobalSavePlan>();
      GlobalSavePlan& global = *planning.global;
      global.entries = std::move(derived.entries);
      global.chunks = std::move(derived.chunks);
      global.layout_policy = policy_;
      global.world_size = exchange.world_size();
      planning.entries = entries_of(planning.global);
    } else {
      planning.entries = std::make_shared<EntryTable>(std::move(derived.entries));
    }
    for (std::size_t i = 0; i < own.size(); ++i) {
      SHARDMARK_RETURN_IF_ERROR(call.take(exchange.played_ranks()[i],
                                          std::make_shared<const SavePlan>(std::move(own[i]))));
    }
    return planning;
  }

  /// Some entries have no layout, or the ranks' objects differ: those are gathered, and only those.
  Result<SavePlanning> plan_mixed(const PlanningCall& call, bool objects_agree) const {
    std::vector<std::shared_ptr<const SavePlan>> listed_plans;
    EnumeratedPlanning enumerated(
        policy_, Gathering::one_by_one,
        [&](const StateDict& state_dict, std::vector<WriteItem>& items) -> Status {
          for (const StateDictEntry& entry : state_dict.entries()) {
            if (entry.tensor == nullptr ? objects_agree : is_derived(entry)) {
              continue;
            }
            SHARDMARK_RETURN_IF_ERROR(append_write_items(entry, items));
          }
          return {};
        });
    const auto take_listed = [&](int, std::shared_ptr<const SavePlan> plan) {
      listed_plans.push_back(std::move(plan));
      return Status();
    };
    Mixed mixed{.objects_agree = objects_agree, .listed = {}, .planning = {}};
    SHARDMARK_ASSIGN_OR_RETURN(mixed.listed, enumerated.plan({.state_dict_of = call.state_dict_of,
                                                              .exchange = call.exchange,
                                                              .take = take_listed,
                                                              .on_step = call.on_step}));
    const auto ranks = call.exchange.played_ranks();
    Status merged;
    for (std::size_t i = 0; i < ranks.size() && merged; ++i) {
      merged = merge_rank(ranks[i], call, *listed_plans[i], mixed);
    }
    SHARDMARK_RETURN_IF_ERROR(call.exchange.agree(merged));
    return mixed.planning;
  }

  /// A save of which one part was derived and the other listed.
  struct Mixed {
    bool objects_agree = false;
    SavePlanning listed;
    SavePlanning planning;  // of both; the first played rank makes it
  };

  Status merge_rank(int rank, const PlanningCall& call, const SavePlan& listed_plan,
                    Mixed& mixed) const {
    const SavePlanning& listed = mixed.listed;
    SavePlanning& planning = mixed.planning;
    call.on_step(PlanStep::local_plan);
    SHARDMARK_ASSIGN_OR_RETURN(const StateDict* state_dict, call.state_dict_of(rank));
    SHARDMARK_ASSIGN_OR_RETURN(
        const Derivation derived,
        derive(KnownLayouts::of(*state_dict), mixed.objects_agree, call.exchange.world_size()));
    MergedTables merged =
        merge(derived, *listed.entries, listed.global ? &listed.global->chunks : nullptr);
    SavePlan plan = layout_writes(rank, derived.entries, derived.chunks, policy_);
    renumber(plan, derived.entries, merged.place_of_derived, merged.entries);
    SavePlan other = listed_plan;
    renumber(other, *listed.entries, merged.place_of_listed, merged.entries);
    plan.writes.insert(plan.writes.end(), other.writes.begin(), other.writes.end());
    std::sort(plan.writes.begin(), plan.writes.end(),
              [](const PlannedWrite& a, const PlannedWrite& b) { return a.chunk < b.chunk; });
    if (!planning.entries) {
      if (listed.global) {
        planning.global =
            std::make_shared<GlobalSavePlan>(merge_global(*listed.global, *listed.entries, merged));
        planning.global->world_size = call.exchange.world_size();
        planning.entries = entries_of(planning.global);
      } else {
        planning.entries = std::make_shared<EntryTable>(std::move(merged.entries));
      }
    }
    return call.take(rank, std::make_shared<const SavePlan>(std::move(plan)));
  }

  GlobalSavePlan merge_global(const GlobalSavePlan& listed, const EntryTable& listed_entries,
                              const MergedTables& merged) const {
    GlobalSavePlan global;
    global.entries = merged.entries;
    global.chunks = merged.chunks;
    global.layout_policy = policy_;
    global.statistics = listed.statistics;
    for (std::size_t e = 0; e < listed_entries.entries.size(); ++e) {
      const Entry& entry = listed_entries.entries[e];
      const Entry& placed = merged.entries.entries[merged.place_of_listed[e]];
      for (std::uint64_t c = 0; c < entry.num_chunks; ++c) {
        global.listed_owners.emplace_back(placed.first_chunk + c,
                                          listed.owners[entry.first_chunk + c]);
      }
    }
    return global;
  }

  static bool is_derived(const StateDictEntry& entry) {
    const TensorLayout* layout = entry.tensor->layout();
    return layout != nullptr &&
           std::none_of(layout->placements().begin(), layout->placements().end(),
                        [](const Placement& p) { return p.kind == PlacementKind::partial; });
  }

  static void renumber(SavePlan& plan, const EntryTable& from,
                       const std::vector<std::uint32_t>& place, const EntryTable& to) {
    for (PlannedWrite& write : plan.writes) {
      const std::uint64_t ordinal = write.chunk - from.entries[write.entry].first_chunk;
      write.entry = place[write.entry];
      write.chunk = to.entries[write.entry].first_chunk + ordinal;
    }
  }

  DedupPolicy policy_;
};

}  // namespace

std::unique_ptr<SavePlanner> make_layout_save_planner(DedupPolicy policy) {
  // Rules that look at all chunks at once have no arithmetic: those plans are gathered.
  return has_layout_owners(policy) ? std::make_unique<LayoutSavePlanner>(policy)
                                   : make_coordinator_save_planner(policy);
}

}  // namespace shardmark
