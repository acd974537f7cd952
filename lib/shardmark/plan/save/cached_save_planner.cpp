// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <unordered_map>
#include <utility>

#include "shardmark/core/checksum.hpp"
#include "shardmark/plan/merge/local_save_plan.hpp"
#include "shardmark/plan/save/save_planner.hpp"
#include "shardmark/plan/tables/byte_codec.hpp"
#include "shardmark/plan/tables/chunk_grid.hpp"
#include "shardmark/protocol/content_mark.hpp"

namespace shardmark {
namespace {

/// Everything that a plan depends on, as one rank sees it: key paths, kinds, dtypes, shapes, chunks
/// or mesh and placements. Order counts: it decides nothing, but costs nothing either.
class ContentKey {
 public:
  Result<std::uint64_t> of(const StateDict& state_dict) {
    out_.clear();
    for (const StateDictEntry& entry : state_dict.entries()) {
      out_.text(entry.fqn);
      const TensorLayout* layout = entry.tensor == nullptr ? nullptr : entry.tensor->layout();
      if (layout != nullptr) {
        out_.varint(layout_entry);
        out_.varint(static_cast<std::uint64_t>(layout->dtype));
        out_.fixed64(layout_hash(*layout));
        continue;
      }
      items_.clear();
      SHARDMARK_RETURN_IF_ERROR(append_write_items(entry, items_));
      out_.varint(listed_entry);
      out_.varint(items_.size());
      for (const WriteItem& item : items_) {
        add(item);
      }
    }
    return xxh3(out_.bytes());
  }

 private:
  static constexpr std::uint64_t layout_entry = 0;
  static constexpr std::uint64_t listed_entry = 1;

  void add(const WriteItem& item) {
    out_.varint(static_cast<std::uint64_t>(item.type));
    out_.count(item.byte_io_size);
    out_.varint(static_cast<std::uint64_t>(item.tensor_data.properties.dtype));
    for (const Dims* dims :
         {&item.tensor_data.size, &item.tensor_data.chunk.offsets, &item.tensor_data.chunk.sizes}) {
      out_.varint(dims->size());
      out_.dims(*dims);
    }
  }

  ByteWriter out_;
  std::vector<WriteItem> items_;
};

class CachedSavePlanner final : public SavePlanner {
 public:
  explicit CachedSavePlanner(std::unique_ptr<SavePlanner> inner) : inner_(std::move(inner)) {}

  Result<SavePlanning> plan(const PlanningCall& call) override {
    PlanExchange& exchange = call.exchange;
    call.on_step(PlanStep::hooks);
    Slot wanted;
    wanted.world_size = exchange.world_size();
    for (const int rank : exchange.played_ranks()) {
      SHARDMARK_ASSIGN_OR_RETURN(const std::uint64_t key, key_of(rank, call.state_dict_of));
      wanted.keys.push_back({rank, key});
    }
    const Slot* known = find(wanted);
    call.on_step(PlanStep::wait);
    // All ranks must mean the same earlier save; a rank that knows none says 0.
    const std::uint64_t number = known == nullptr ? 0 : known->number;
    std::array<std::uint64_t, 2> words = {number, ~number};
    SHARDMARK_RETURN_IF_ERROR(exchange.all_reduce(words, ReduceOp::max));
    if (number != 0 && words[0] == number && words[1] == ~number) {
      call.on_step(PlanStep::scatter);
      for (std::size_t i = 0; i < known->plans.size(); ++i) {
        exchange.go_on_as(known->keys[i].first);
        SHARDMARK_RETURN_IF_ERROR(call.take(known->keys[i].first, known->plans[i]));
      }
      return known->planning;
    }
    return plan_anew(std::move(wanted), call);
  }

 private:
  /// The digest of a state dict, and the epoch at which it was that.
  struct KnownKey {
    int rank = 0;
    std::uint64_t epoch = 0;
    std::uint64_t key = 0;
  };
  static constexpr std::size_t max_known_keys = 64;

  /// One state dict's plan; several are kept, so that two in alternation both find theirs.
  struct Slot {
    std::uint64_t number = 0;  // of the save that made it, the same on all ranks
    int world_size = 0;
    std::vector<std::pair<int, std::uint64_t>> keys;  // of the played ranks
    SavePlanning planning;
    std::vector<std::shared_ptr<const SavePlan>> plans;
  };
  static constexpr std::size_t max_slots = 8;

  Result<std::uint64_t> key_of(int rank, const StateDictOfRank& state_dict_of) {
    auto state_dict = state_dict_of(rank);
    // What fails here fails in the plan too, where all ranks learn of it.
    if (!state_dict) {
      return std::uint64_t{0};
    }
    const StateDict* dict = *state_dict;
    const std::uint64_t epoch = ContentMark::epoch();
    const auto known = known_keys_.find(dict);
    if (known != known_keys_.end() && known->second.epoch == epoch && known->second.rank == rank) {
      return known->second.key;
    }
    const auto key = content_.of(*dict);
    if (!key) {
      return std::uint64_t{0};
    }
    if (dict->announces_changes()) {
      if (known_keys_.size() == max_known_keys) {
        known_keys_.clear();
      }
      known_keys_[dict] = {rank, epoch, *key};
    }
    return *key;
  }

  const Slot* find(const Slot& wanted) const {
    const auto found = std::find_if(slots_.begin(), slots_.end(), [&](const Slot& slot) {
      return slot.world_size == wanted.world_size && slot.keys == wanted.keys;
    });
    return found == slots_.end() ? nullptr : &*found;
  }

  Result<SavePlanning> plan_anew(Slot slot, const PlanningCall& call) {
    std::vector<std::pair<int, std::shared_ptr<const SavePlan>>> plans;
    SHARDMARK_ASSIGN_OR_RETURN(
        slot.planning, inner_->plan({.state_dict_of = call.state_dict_of,
                                     .exchange = call.exchange,
                                     .take =
                                         [&](int rank, std::shared_ptr<const SavePlan> plan) {
                                           plans.emplace_back(rank, std::move(plan));
                                           return Status();
                                         },
                                     .on_step = call.on_step}));
    std::sort(plans.begin(), plans.end(),
              [](const auto& a, const auto& b) { return a.first < b.first; });
    for (auto& [rank, plan] : plans) {
      SHARDMARK_RETURN_IF_ERROR(call.take(rank, plan));
      slot.plans.push_back(std::move(plan));
    }
    slot.number = next_number_++;
    // The oldest goes; every rank has made the same ones in the same order.
    if (slots_.size() == max_slots) {
      slots_.erase(slots_.begin());
    }
    std::erase_if(slots_, [&](const Slot& old) {
      return old.world_size == slot.world_size && old.keys == slot.keys;
    });
    slots_.push_back(std::move(slot));
    return slots_.back().planning;
  }

  std::unique_ptr<SavePlanner> inner_;
  ContentKey content_;
  std::unordered_map<const StateDict*, KnownKey> known_keys_;
  std::vector<Slot> slots_;  // oldest first
  std::uint64_t next_number_ = 1;
};

}  // namespace

std::unique_ptr<SavePlanner> make_cached_save_planner(std::unique_ptr<SavePlanner> inner) {
  return std::make_unique<CachedSavePlanner>(std::move(inner));
}

}  // namespace shardmark
