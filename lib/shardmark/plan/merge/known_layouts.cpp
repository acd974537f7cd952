// SPDX-License-Identifier: Apache-2.0
#include "shardmark/plan/merge/known_layouts.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>

#include "shardmark/core/checksum.hpp"
#include "shardmark/plan/tables/chunk_grid.hpp"
#include "shardmark/plan/tables/chunk_table.hpp"

namespace shardmark {
namespace {

bool has_partial(const TensorLayout& layout) {
  return std::any_of(layout.placements().begin(), layout.placements().end(),
                     [](const Placement& p) { return p.kind == PlacementKind::partial; });
}

/// Null if only the hooks tell, or refuse to.
const TensorLayout* known_layout(const CheckpointableRef& tensor) {
  const TensorLayout* layout = tensor.layout();
  return layout == nullptr || has_partial(*layout) ? nullptr : layout;
}

/// The finaliser of SplitMix64: sums of its values are as good as hashes.
std::uint64_t mix(std::uint64_t value) {
  value += 0x9E3779B97F4A7C15ULL;
  value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9ULL;
  value = (value ^ value >> 27) * 0x94D049BB133111EBULL;
  return value ^ value >> 31;
}

void sort_by_name(std::vector<KnownLayout>& list) {
  const auto before = [](const KnownLayout& a, const KnownLayout& b) { return a.fqn < b.fqn; };
  if (!std::is_sorted(list.begin(), list.end(), before)) {
    std::sort(list.begin(), list.end(), before);
  }
}

/// "a bfloat16 tensor [8, 4] with S(0), R on mesh [2, 3]"
std::string describe(const TensorLayout& layout) {
  std::vector<std::string> placements;
  for (const Placement& placement : layout.placements()) {
    placements.push_back(to_string(placement));
  }
  std::string text = fmt::format("a {} tensor {} with {} on mesh {}", dtype_name(layout.dtype),
                                 to_string(layout.global_sizes), fmt::join(placements, ", "),
                                 to_string(layout.mesh.shape()));
  if (layout.mesh.first_rank() != 0 ||
      layout.mesh.strides() != row_major_strides(layout.mesh.shape())) {
    text += fmt::format(" (rank {} on, strides {})", layout.mesh.first_rank(),
                        to_string(layout.mesh.strides()));
  }
  return text;
}

/// "rank 3", "ranks 1, 2, 5 and 20 more"
std::string describe(const std::vector<int>& ranks) {
  constexpr std::size_t shown = 8;
  if (ranks.size() == 1) {
    return fmt::format("rank {}", ranks.front());
  }
  const auto end = ranks.begin() + static_cast<std::ptrdiff_t>(std::min(shown, ranks.size()));
  std::string text = fmt::format("ranks {}", fmt::join(ranks.begin(), end, ", "));
  if (ranks.size() > shown) {
    text += fmt::format(" and {} more", ranks.size() - shown);
  }
  return text;
}

/// One rank's layouts, as text, by fqn ascending.
using Descriptions = std::vector<std::pair<std::string, std::string>>;

PlanExchange::Bytes encode_descriptions(const KnownLayouts& known) {
  ByteWriter out;
  out.varint(known.tensors.size());
  for (const KnownLayout& tensor : known.tensors) {
    out.text(tensor.fqn);
    out.text(describe(*tensor.layout));
  }
  return std::move(out).take();
}

Result<Descriptions> decode_descriptions(std::span<const std::byte> bytes) {
  ByteReader in(bytes);
  Descriptions list;
  const std::size_t size = in.length(2);
  for (std::size_t i = 0; i < size && in.ok(); ++i) {
    std::string fqn(in.text());
    list.emplace_back(std::move(fqn), in.text());
  }
  SHARDMARK_RETURN_IF_ERROR(in.status("layouts"));
  return list;
}

constexpr std::string_view absent = "no such tensor with a layout";

/// The first fqn on which a rank differs from the first rank heard.
class Comparison {
 public:
  void add(int rank, Descriptions list) {
    if (!first_) {
      first_ = std::move(list);
      first_rank_ = rank;
      return;
    }
    ranks_.push_back(rank);
    std::size_t i = 0;
    std::size_t j = 0;
    while (i < first_->size() && j < list.size() && (*first_)[i] == list[j]) {
      ++i;
      ++j;
    }
    if (i == first_->size() && j == list.size()) {
      return;
    }
    const bool mine_first =
        j == list.size() || (i < first_->size() && (*first_)[i].first < list[j].first);
    const bool both = i < first_->size() && j < list.size() && (*first_)[i].first == list[j].first;
    const std::string& fqn = mine_first || both ? (*first_)[i].first : list[j].first;
    if (!found_ || fqn < fqn_) {
      found_ = true;
      fqn_ = fqn;
      value_of_first_ = mine_first || both ? (*first_)[i].second : std::string(absent);
      differing_.clear();
    }
    if (fqn == fqn_) {
      differing_[rank] =
          both ? list[j].second : (mine_first ? std::string(absent) : list[j].second);
    }
  }

  Status status() const {
    if (!found_) {
      return {};
    }
    std::vector<std::pair<std::string, std::vector<int>>> values;
    values.push_back({value_of_first_, {first_rank_}});
    for (const int rank : ranks_) {
      const auto other = differing_.find(rank);
      const std::string& value = other == differing_.end() ? value_of_first_ : other->second;
      const auto known = std::find_if(values.begin(), values.end(),
                                      [&](const auto& entry) { return entry.first == value; });
      if (known == values.end()) {
        values.push_back({value, {rank}});
      } else {
        known->second.push_back(rank);
      }
    }
    constexpr std::size_t most_values = 3;
    std::vector<std::string> parts;
    for (std::size_t i = 0; i < std::min(most_values, values.size()); ++i) {
      const auto& [value, ranks] = values[i];
      parts.push_back(
          fmt::format("{} {} {}", describe(ranks), ranks.size() == 1 ? "has" : "have", value));
    }
    return Error{ErrorCode::invalid_argument,
                 fmt::format("ranks disagree on '{}': {}{}", fqn_, fmt::join(parts, "; "),
                             values.size() > most_values ? "; and others" : "")};
  }

 private:
  std::optional<Descriptions> first_;
  int first_rank_ = 0;
  std::vector<int> ranks_;  // heard after the first
  bool found_ = false;
  std::string fqn_;
  std::string value_of_first_;
  std::map<int, std::string> differing_;  // on fqn_
};

}  // namespace

KnownLayouts KnownLayouts::of(const StateDict& state_dict) {
  KnownLayouts known;
  known.tensors.reserve(state_dict.size());
  for (const StateDictEntry& entry : state_dict.entries()) {
    if (entry.tensor == nullptr) {
      known.objects.push_back({entry.fqn, nullptr, static_cast<std::int64_t>(entry.object.size())});
      continue;
    }
    if (const TensorLayout* layout = known_layout(*entry.tensor)) {
      known.tensors.push_back({entry.fqn, layout, 0});
    } else {
      known.others.push_back(&entry);
    }
  }
  sort_by_name(known.tensors);
  sort_by_name(known.objects);
  return known;
}

void LayoutAgreement::add(const StateDict& state_dict) {
  const auto raise = [this](Word word, std::uint64_t value) {
    words_[word] = std::max(words_[word], value);
  };
  std::uint64_t of_tensors = 0;
  std::uint64_t of_objects = 0;
  for (const StateDictEntry& entry : state_dict.entries()) {
    const std::uint64_t name = xxh3(std::as_bytes(std::span(entry.fqn)));
    if (entry.tensor == nullptr) {
      of_objects += mix(name ^ entry.object.size());
    } else if (const TensorLayout* layout = known_layout(*entry.tensor)) {
      of_tensors +=
          mix(name ^ mix(layout_hash(*layout) + static_cast<std::uint64_t>(layout->dtype)));
    } else {
      raise(others, 1);
    }
  }
  raise(tensors, of_tensors);
  raise(tensors_not, ~of_tensors);
  raise(objects, of_objects);
  raise(objects_not, ~of_objects);
}

Status explain_disagreement(const std::function<Result<const StateDict*>(int rank)>& state_dict_of,
                            PlanExchange& exchange) {
  Comparison comparison;
  SHARDMARK_RETURN_IF_ERROR(exchange.gather(
      [&](int rank) -> Result<PlanExchange::Bytes> {
        SHARDMARK_ASSIGN_OR_RETURN(const StateDict* state_dict, state_dict_of(rank));
        return encode_descriptions(KnownLayouts::of(*state_dict));
      },
      [&](int rank, std::span<const std::byte> bytes) -> Status {
        SHARDMARK_ASSIGN_OR_RETURN(Descriptions list, decode_descriptions(bytes));
        comparison.add(rank, std::move(list));
        return {};
      }));
  SHARDMARK_RETURN_IF_ERROR(exchange.agree(comparison.status()));
  return Error{ErrorCode::internal,
               "ranks disagree on the tensors' layouts, but not on any that they name"};
}

}  // namespace shardmark
