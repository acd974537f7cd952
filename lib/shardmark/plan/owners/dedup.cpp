// SPDX-License-Identifier: Apache-2.0
#include "shardmark/plan/owners/dedup.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <queue>
#include <span>

#include "shardmark/core/by_rank.hpp"

namespace shardmark {
namespace {

constexpr std::array<std::string_view, 4> policy_names = {"balanced", "lowest-rank", "dcp",
                                                          "split"};

/// Chunks that several ranks hold, set by set: those of set i from first[i] on.
std::vector<std::uint32_t> chunks_by_set(const DedupInput& input, std::vector<std::size_t>& first) {
  const auto is_shared = [&](std::uint32_t set) { return input.holder_sets[set].size() > 1; };
  first.assign(input.holder_sets.size() + 1, 0);
  for (const std::uint32_t set : input.chunk_set) {
    first[set + 1] += is_shared(set) ? 1U : 0U;
  }
  std::partial_sum(first.begin(), first.end(), first.begin());
  std::vector<std::size_t> next(first.begin(), first.end() - 1);
  std::vector<std::uint32_t> chunks(first.back());
  for (std::uint32_t chunk = 0; chunk < input.chunk_set.size(); ++chunk) {
    if (const std::uint32_t set = input.chunk_set[chunk]; is_shared(set)) {
      chunks[next[set]++] = chunk;
    }
  }
  return chunks;
}

/// Gives the chunks of one set to its holders.
void balance(const DedupInput& input, const std::vector<std::int32_t>& holders,
             std::span<std::uint32_t> chunks, std::span<std::int64_t> load,
             std::span<std::int32_t> owners) {
  std::stable_sort(chunks.begin(), chunks.end(), [&](std::uint32_t a, std::uint32_t b) {
    return input.chunk_bytes[a] > input.chunk_bytes[b];
  });
  using Holder = std::pair<std::int64_t, std::int32_t>;  // bytes so far, rank
  std::vector<Holder> start;
  start.reserve(holders.size());
  for (const std::int32_t rank : holders) {
    start.emplace_back(of_rank(load, rank), rank);
  }
  std::priority_queue<Holder, std::vector<Holder>, std::greater<>> least(std::greater<>(),
                                                                         std::move(start));
  for (const std::uint32_t chunk : chunks) {
    auto [bytes, rank] = least.top();
    least.pop();
    owners[chunk] = rank;
    bytes += input.chunk_bytes[chunk];
    of_rank(load, rank) = bytes;
    least.emplace(bytes, rank);
  }
}

std::vector<std::int32_t> assign_balanced(const DedupInput& input) {
  std::vector<std::int32_t> owners(input.chunk_set.size());
  std::vector<std::int64_t> load(static_cast<std::size_t>(input.world_size), 0);
  // The smallest sets come first, and among sets of one rank the order does not matter.
  for (std::size_t chunk = 0; chunk < owners.size(); ++chunk) {
    const auto& holders = input.holder_sets[input.chunk_set[chunk]];
    if (holders.size() == 1) {
      owners[chunk] = holders.front();
      load[static_cast<std::size_t>(holders.front())] += input.chunk_bytes[chunk];
    }
  }
  std::vector<std::size_t> first;
  std::vector<std::uint32_t> chunks = chunks_by_set(input, first);
  std::vector<std::uint32_t> sets;
  for (std::uint32_t set = 0; set < input.holder_sets.size(); ++set) {
    if (first[set] != first[set + 1]) {
      sets.push_back(set);
    }
  }
  std::sort(sets.begin(), sets.end(), [&](std::uint32_t a, std::uint32_t b) {
    const auto& x = input.holder_sets[a];
    const auto& y = input.holder_sets[b];
    return x.size() != y.size() ? x.size() < y.size() : x < y;
  });
  for (const std::uint32_t set : sets) {
    balance(input, input.holder_sets[set],
            std::span(chunks).subspan(first[set], first[set + 1] - first[set]), load, owners);
  }
  return owners;
}

std::vector<std::int32_t> assign_as_dcp(const DedupInput& input) {
  std::vector<std::int32_t> owners(input.chunk_set.size());
  std::vector<std::int64_t> load(static_cast<std::size_t>(input.world_size), 0);
  for (const SeenItem& item : input.seen) {
    const auto& holders = input.holder_sets[item.set];
    const std::int32_t owner = *std::ranges::min_element(
        holders, {}, [&](std::int32_t rank) { return of_rank(load, rank); });
    load[static_cast<std::size_t>(owner)] += item.accounted_bytes;
    if (item.chunk != SeenItem::no_chunk) {
      owners[item.chunk] = owner;
    }
  }
  return owners;
}

std::vector<std::int32_t> assign_lowest_rank(const DedupInput& input) {
  std::vector<std::int32_t> owners(input.chunk_set.size());
  for (std::size_t chunk = 0; chunk < owners.size(); ++chunk) {
    owners[chunk] = input.holder_sets[input.chunk_set[chunk]].front();
  }
  return owners;
}

}  // namespace

std::string_view dedup_policy_name(DedupPolicy policy) noexcept {
  return policy_names[static_cast<std::size_t>(policy)];
}

std::optional<DedupPolicy> dedup_policy_from_name(std::string_view name) noexcept {
  const auto at = std::find(policy_names.begin(), policy_names.end(), name);
  if (at == policy_names.end()) {
    return std::nullopt;
  }
  return static_cast<DedupPolicy>(at - policy_names.begin());
}

std::vector<std::int32_t> assign_owners(const DedupInput& input, DedupPolicy policy) {
  switch (policy) {
    case DedupPolicy::lowest_rank:
      return assign_lowest_rank(input);
    case DedupPolicy::dcp:
      return assign_as_dcp(input);
    case DedupPolicy::balanced:
    case DedupPolicy::split:
      break;
  }
  return assign_balanced(input);
}

}  // namespace shardmark
