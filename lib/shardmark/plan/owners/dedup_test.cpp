// SPDX-License-Identifier: Apache-2.0
// Who writes replicated chunks: golden cases, and a naive reading of the rule.
#include "shardmark/plan/owners/dedup.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "shardmark/testing/random_source.hpp"

namespace shardmark {
namespace {

using nlohmann::json;
using shardmark::testing::RandomSource;

struct Chunk {
  std::int64_t num_bytes;
  std::vector<std::int32_t> holders;
};

DedupInput input_of(const std::vector<Chunk>& chunks, int world_size) {
  DedupInput input;
  input.world_size = world_size;
  std::map<std::vector<std::int32_t>, std::uint32_t> sets;
  for (const Chunk& chunk : chunks) {
    const auto [at, added] =
        sets.try_emplace(chunk.holders, static_cast<std::uint32_t>(sets.size()));
    if (added) {
      input.holder_sets.push_back(chunk.holders);
    }
    input.chunk_bytes.push_back(chunk.num_bytes);
    input.chunk_set.push_back(at->second);
  }
  return input;
}

/// A golden case: its chunks by key, and the keys in the order in which DCP's walk meets them.
struct Golden {
  std::map<std::string, Chunk> chunks;  // keys sort as chunks do
  std::vector<std::string> seen;
  std::map<std::string, std::int64_t> global_bytes;
  int world_size = 0;

  explicit Golden(const json& plans) : world_size(static_cast<int>(plans.size())) {
    for (std::size_t rank = 0; rank < plans.size(); ++rank) {
      for (const json& item : plans[rank]) {
        const std::string key = item.at("key");
        if (!chunks.contains(key)) {
          seen.push_back(key);
        }
        Chunk& chunk = chunks[key];
        chunk.num_bytes = item.at("chunk_bytes");
        chunk.holders.push_back(static_cast<std::int32_t>(rank));
        global_bytes[key] = item.at("global_bytes");
      }
    }
  }

  DedupInput input() const {
    std::vector<Chunk> list;
    std::map<std::string, std::uint32_t> number;
    for (const auto& [key, chunk] : chunks) {
      number[key] = static_cast<std::uint32_t>(list.size());
      list.push_back(chunk);
    }
    DedupInput made = input_of(list, world_size);
    for (const std::string& key : seen) {
      const std::int64_t bytes = global_bytes.at(key);
      made.seen.push_back({number.at(key), made.chunk_set[number.at(key)], bytes == 0 ? 1 : bytes});
    }
    return made;
  }

  /// Compares with what the golden case says of a policy.
  void expect(const std::vector<std::int32_t>& owners, const json& expected) const {
    std::vector<std::set<std::string>> kept(static_cast<std::size_t>(world_size));
    std::vector<std::int64_t> real_bytes(kept.size());
    std::size_t number = 0;
    for (const auto& [key, chunk] : chunks) {
      const auto owner = static_cast<std::size_t>(owners[number++]);
      kept[owner].insert(key);
      real_bytes[owner] += chunk.num_bytes;
    }
    EXPECT_EQ(json(kept), json(expected.at("kept").get<std::vector<std::set<std::string>>>()));
    EXPECT_EQ(json(real_bytes), expected.at("real_bytes"));
  }
};

json golden_cases() {
  std::ifstream file(SHARDMARK_SOURCE_DIR "/lib/shardmark/testing/golden/dcp_vectors.json");
  return json::parse(file).at("dedup_cases");
}

TEST(Dedup, LowestRankAndDcpAgreeWithTheGoldenCases) {
  const json cases = golden_cases();
  ASSERT_FALSE(cases.empty());
  for (const json& golden : cases) {
    SCOPED_TRACE(golden.at("name").get<std::string>());
    const Golden known(golden.at("plans"));
    const DedupInput input = known.input();
    const json& expected = golden.at("expected");
    known.expect(assign_owners(input, DedupPolicy::lowest_rank), expected.at("lowest_rank"));
    known.expect(assign_owners(input, DedupPolicy::dcp), expected.at("least_loaded"));

    // By real chunk bytes nothing here can be spread better than DCP's greedy rule with them does.
    const auto balanced = assign_owners(input, DedupPolicy::balanced);
    std::vector<std::int64_t> load(static_cast<std::size_t>(known.world_size));
    for (std::size_t c = 0; c < balanced.size(); ++c) {
      load[static_cast<std::size_t>(balanced[c])] += input.chunk_bytes[c];
    }
    const auto greedy =
        expected.at("least_loaded_chunk_bytes").at("real_bytes").get<std::vector<std::int64_t>>();
    EXPECT_LE(*std::max_element(load.begin(), load.end()),
              *std::max_element(greedy.begin(), greedy.end()));
  }
}

/// DESIGN section 3 point 5, word by word: one pass over all holder sets in their order, one over
/// the chunks of each, one over its holders.
std::vector<std::int32_t> balance_naively(const std::vector<Chunk>& chunks, int world_size) {
  std::vector<std::vector<std::int32_t>> sets;
  for (const Chunk& chunk : chunks) {
    if (std::find(sets.begin(), sets.end(), chunk.holders) == sets.end()) {
      sets.push_back(chunk.holders);
    }
  }
  std::sort(sets.begin(), sets.end(), [](const auto& a, const auto& b) {
    return std::make_pair(a.size(), a) < std::make_pair(b.size(), b);
  });
  std::vector<std::int32_t> owners(chunks.size(), -1);
  std::vector<std::int64_t> load(static_cast<std::size_t>(world_size), 0);
  for (const auto& set : sets) {
    while (true) {
      std::size_t biggest = chunks.size();  // not yet given, first in canonical order
      for (std::size_t c = 0; c < chunks.size(); ++c) {
        if (owners[c] < 0 && chunks[c].holders == set &&
            (biggest == chunks.size() || chunks[c].num_bytes > chunks[biggest].num_bytes)) {
          biggest = c;
        }
      }
      if (biggest == chunks.size()) {
        break;
      }
      std::int32_t least = set.front();
      for (const std::int32_t rank : set) {
        if (load[static_cast<std::size_t>(rank)] < load[static_cast<std::size_t>(least)]) {
          least = rank;
        }
      }
      owners[biggest] = least;
      load[static_cast<std::size_t>(least)] += chunks[biggest].num_bytes;
    }
  }
  return owners;
}

TEST(Dedup, BalancedAgreesWithANaiveReadingOfTheRule) {
  RandomSource random;
  for (int round = 0; round < 400; ++round) {
    const int world_size = 1 + static_cast<int>(random.number(9));
    std::vector<Chunk> chunks(random.index(40));
    for (Chunk& chunk : chunks) {
      chunk.num_bytes = random.number(8) * 64;  // many ties, some zeros
      for (std::int32_t rank = 0; rank < world_size; ++rank) {
        if (random.one_in(2)) {
          chunk.holders.push_back(rank);
        }
      }
      if (chunk.holders.empty()) {
        chunk.holders.push_back(static_cast<std::int32_t>(random.number(world_size)));
      }
    }
    DedupInput input = input_of(chunks, world_size);
    const auto owners = assign_owners(input, DedupPolicy::balanced);
    ASSERT_EQ(owners, balance_naively(chunks, world_size));

    // The numbers that holder sets happen to have do not matter.
    std::reverse(input.holder_sets.begin(), input.holder_sets.end());
    for (std::uint32_t& set : input.chunk_set) {
      set = static_cast<std::uint32_t>(input.holder_sets.size()) - 1 - set;
    }
    ASSERT_EQ(assign_owners(input, DedupPolicy::balanced), owners);
  }
}

TEST(Dedup, TiesGoToTheLowestHolder) {
  const auto owners =
      assign_owners(input_of({{8, {1, 8}}, {8, {1, 8}}, {8, {1, 8}}}, 9), DedupPolicy::balanced);
  EXPECT_EQ(owners, (std::vector<std::int32_t>{1, 8, 1}));
}

TEST(Dedup, NamesGoBothWays) {
  for (const DedupPolicy policy :
       {DedupPolicy::balanced, DedupPolicy::lowest_rank, DedupPolicy::dcp, DedupPolicy::split}) {
    EXPECT_EQ(dedup_policy_from_name(dedup_policy_name(policy)), policy);
  }
  EXPECT_FALSE(dedup_policy_from_name("lowest_rank"));
}

}  // namespace
}  // namespace shardmark
