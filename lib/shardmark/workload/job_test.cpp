// SPDX-License-Identifier: Apache-2.0
#include "shardmark/workload/job.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "shardmark/testing/random_source.hpp"
#include "shardmark/testing/temporary_directory.hpp"
#include "shardmark/workload/workload.hpp"

namespace shardmark {
namespace {

using nlohmann::json;
using shardmark::testing::RandomSource;
using shardmark::testing::TemporaryDirectory;
using ::testing::HasSubstr;

json head(std::int64_t world_size) {
  return {{"format", "shardmark job"},      {"version", 1},
          {"source", {{"kind", "record"}}}, {"world_size", world_size},
          {"world_size_known", true},       {"replicas", "listed"},
          {"hashed_names", false},          {"notes", json::array()},
          {"layouts", json::array()},       {"rank_lists", json::array()},
          {"tensors", json::array()},       {"objects", json::array()}};
}

class JobFile : public ::testing::Test {
 protected:
  std::string write(const json& document) {
    std::string path = fmt::format("{}/job-{}.json", directory_.path(), ++written_);
    std::ofstream(path) << document.dump();
    return path;
  }

  Error refusal(const json& document) {
    const auto job = read_job(write(document));
    EXPECT_FALSE(job) << document.dump();
    return job ? Error{} : job.error();
  }

  static WorkloadOptions replay(const std::string& path) {
    WorkloadOptions options;
    options.model.job = path;
    return options;
  }

  TemporaryDirectory directory_;
  int written_ = 0;
};

json numbers_of(const Box& box) {
  json numbers = json::array();
  for (const Dims* dims : {&box.offsets, &box.sizes}) {
    for (const std::int64_t value : *dims) {
      numbers.push_back(value);
    }
  }
  return numbers;
}

/// Brute force: boxes drawn at random, each held by a random set of ranks, which is what every
/// rank's state dict must list.
TEST_F(JobFile, EachRankHoldsTheListedBoxes) {
  RandomSource random;
  for (int round = 0; round < 40; ++round) {
    const std::int64_t world_size = 1 + random.number(9);
    std::map<std::pair<std::string, std::int64_t>, std::set<Box>> held;  // by name and rank
    json document = head(world_size);
    for (int t = 0; t < 6; ++t) {
      const std::string fqn = fmt::format("tensor.{}", t);
      const Dims shape = random.sizes(static_cast<int>(1 + random.number(3)), 1, 14);
      std::vector<Box> boxes = random.tiling(shape, 3);
      std::ranges::sort(boxes, {}, [](const Box& box) { return box.offsets; });
      json one_each = json::array();
      json sets = json::array();
      const bool single = random.one_in(2);
      for (const Box& box : boxes) {
        std::set<std::int64_t> ranks;
        for (int n = 0; n < 1 + (single ? 0 : random.number(4)); ++n) {
          ranks.insert(random.number(world_size));
        }
        json runs = json::array();
        for (const std::int64_t rank : ranks) {
          held[{fqn, rank}].insert(box);
          runs.push_back({rank, 1, 0});
        }
        one_each.push_back({*ranks.begin(), 1, 0});
        sets.push_back(runs);
      }
      json listed = json::array();
      for (const Box& box : boxes) {
        listed.push_back(numbers_of(box));
      }
      document["rank_lists"].push_back(single ? json{{"one_each", one_each}}
                                              : json{{"sets", sets}});
      json extents = json::array();
      for (const std::int64_t extent : shape) {
        extents.push_back(extent);
      }
      document["tensors"].push_back({{"fqn", fqn},
                                     {"dtype", "float32"},
                                     {"shape", extents},
                                     {"boxes", listed},
                                     {"holders", document["rank_lists"].size() - 1}});
    }
    const std::string path = write(document);
    auto walked = Workload::make(replay(path), 0, world_size, Memory::none);
    ASSERT_TRUE(walked) << walked.error().message;
    for (std::int64_t rank = 0; rank < world_size; ++rank) {
      ASSERT_TRUE(walked->move_to_rank(rank));
      auto workload = Workload::make(replay(path), rank, world_size, Memory::allocate);
      ASSERT_TRUE(workload) << workload.error().message;
      for (const Workload* each : {&*walked, &*workload}) {
        std::int64_t num_bytes = 0;
        for (const StateDictEntry& entry : each->state_dict().entries()) {
          const auto boxes = entry.tensor->create_chunk_list();
          ASSERT_TRUE(boxes);
          const auto& expected = held[{entry.fqn, rank}];
          EXPECT_EQ(std::set<Box>(boxes->begin(), boxes->end()), expected) << entry.fqn;
          for (const Box& box : expected) {
            num_bytes += 4 * box.num_elements();
          }
        }
        EXPECT_EQ(each->local_num_bytes(), num_bytes);
      }
      workload->fill(5);
      EXPECT_TRUE(workload->check(5));
      EXPECT_EQ(workload->check(6).has_value(), workload->local_num_bytes() == 0);
    }
  }
}

/// FSDP over tensor parallelism as scripts/job writes it: [R, S(1), S(1)] on 2 x 2 x 3 ranks.
TEST_F(JobFile, LayoutsAreMeshesWithStrides) {
  json document = head(12);
  document["layouts"] = {{{"mesh", {2, 2, 3}},
                          {"placements", {"R", "S(1)", "S(1)"}},
                          {"first_rank", 0},
                          {"strides", {6, 1, 2}}},
                         {{"mesh", {3}}, {"placements", {"S(0)"}}}};
  document["rank_lists"] = {{{"one_each", {{4, 3, 2}}}}};
  document["tensors"] = {
      {{"fqn", "a"}, {"dtype", "bfloat16"}, {"shape", {4, 10}}, {"layout", 0}},
      {{"fqn", "b"}, {"dtype", "float64"}, {"shape", {5}}, {"layout", 1}, {"holders", 0}}};
  const auto job = read_job(write(document));
  ASSERT_TRUE(job) << job.error().message;
  ASSERT_TRUE((*job)->tensors[0].layout);
  EXPECT_FALSE((*job)->tensors[1].layout);
  const auto boxes_of = [&](std::int64_t rank, std::size_t tensor) {
    const auto workload = Workload::make(replay(write(document)), rank, 12, Memory::none);
    EXPECT_TRUE(workload) << workload.error().message;
    return *workload->state_dict().entries()[tensor].tensor->create_chunk_list();
  };
  // Ten columns are five and five; each is two, two and one over three.
  EXPECT_EQ(boxes_of(0, 0), std::vector<Box>({{{0, 0}, {4, 2}}}));
  EXPECT_EQ(boxes_of(7, 0), std::vector<Box>({{{0, 5}, {4, 2}}})) << "6 + 1: a replica";
  EXPECT_EQ(boxes_of(5, 0), std::vector<Box>({{{0, 9}, {4, 1}}})) << "1 + 2 * 2";
  // Ranks 4, 6 and 8 hold two, two and one.
  EXPECT_EQ(boxes_of(6, 1), std::vector<Box>({{{2}, {2}}}));
  EXPECT_EQ(boxes_of(8, 1), std::vector<Box>({{{4}, {1}}}));
  EXPECT_TRUE(boxes_of(5, 1).empty());
}

TEST_F(JobFile, WhatIsNotAsItWasIsSaid) {
  json document = head(3);
  document["replicas"] = "unknown";
  document["rank_lists"] = {{{"one_each", {{nullptr, 1, 0}}}}};
  document["tensors"] = {
      {{"fqn", "a"}, {"dtype", "complex64"}, {"shape", {6}}, {"boxes", {{0, 6}}}, {"holders", 0}}};
  document["objects"] = {{{"fqn", "everywhere"}, {"num_bytes", 9}, {"writer", nullptr}},
                         {{"fqn", "rng"}, {"num_bytes", 7}, {"writer", 2}},
                         {{"fqn", "unsized"}, {"num_bytes", nullptr}, {"writer", 1}}};
  const auto job = read_job(write(document));
  ASSERT_TRUE(job) << job.error().message;
  EXPECT_EQ((*job)->notes.size(), 4U);
  const auto workload = Workload::make(replay(write(document)), 2, 3, Memory::none);
  ASSERT_TRUE(workload) << workload.error().message;
  EXPECT_EQ(workload->notes().size(), 4U);
  EXPECT_EQ(workload->local_num_bytes(), 9 + 7);
  EXPECT_EQ(workload->global_num_bytes(), 6 * 8 + 9 + 7);
  EXPECT_EQ(Workload::make(replay(write(document)), 0, 3, Memory::none)->local_num_bytes(),
            6 * 8 + 9);
}

TEST_F(JobFile, SizesAreNeededForPlanningNotTheMemory) {
  json document = head(2);
  document["rank_lists"] = {{{"one_each", {{0, 1, 0}}}}};
  const auto object = [](const char* fqn, std::int64_t num_bytes) {
    return json{{"fqn", fqn}, {"num_bytes", num_bytes}, {"writer", nullptr}};
  };
  document["objects"] = {object("huge", INT64_MAX)};
  const auto workload = Workload::make(replay(write(document)), 0, 2, Memory::none);
  ASSERT_TRUE(workload) << workload.error().message;
  EXPECT_EQ(workload->global_num_bytes(), INT64_MAX);
  document["objects"] = {object("huge", INT64_MAX), object("one", 1)};
  const auto more = read_job(write(document));
  ASSERT_FALSE(more);
  EXPECT_EQ(exit_code(more.error().code), 2);
  EXPECT_THAT(more.error().message, HasSubstr("2^63 - 1 bytes from 'one' on"));
  document["objects"] = json::array();
  document["tensors"] = {{{"fqn", "a"},
                          {"dtype", "uint8"},
                          {"shape", {6000000000000000000}},
                          {"boxes", {{0, 6000000000000000000}}},
                          {"holders", 0}},
                         {{"fqn", "b"},
                          {"dtype", "uint8"},
                          {"shape", {6000000000000000000}},
                          {"boxes", {{0, 6000000000000000000}}},
                          {"holders", 0}}};
  EXPECT_THAT(read_job(write(document)).error().message, HasSubstr("from 'b' on"));
}

TEST_F(JobFile, OnlyItsOwnWorldAndNoShrinking) {
  const std::string path = write(head(4));
  const auto other = Workload::make(replay(path), 0, 8, Memory::none);
  ASSERT_FALSE(other);
  EXPECT_EQ(exit_code(other.error().code), 2);
  EXPECT_THAT(other.error().message, HasSubstr("run.world = 4"));
  WorkloadOptions options = replay(path);
  options.model.scale = 0.5;
  EXPECT_THAT(Workload::make(options, 0, 4, Memory::none).error().message,
              HasSubstr("model.scale"));
  options = replay(path);
  options.model.dtype = Dtype::int8;
  EXPECT_THAT(Workload::make(options, 0, 4, Memory::none).error().message,
              HasSubstr("model.dtype"));
  options = replay(path);
  options.parallel.rules = {{"*", {Placement::shard(0)}, "f.toml:3"}};
  EXPECT_THAT(Workload::make(options, 0, 4, Memory::none).error().message,
              HasSubstr("f.toml:3: parallel.rules"));
  EXPECT_EQ(read_job(directory_.path() + "/none").error().code, ErrorCode::not_found);
}

TEST_F(JobFile, WhatCannotBeIsRefusedByName) {
  json good = head(4);
  good["rank_lists"] = {{{"one_each", {{0, 2, 1}}}}};
  good["layouts"] = {
      {{"mesh", {2}}, {"placements", {"S(0)"}}, {"first_rank", 2}, {"strides", {1}}}};
  good["tensors"] = {{{"fqn", "w"},
                      {"dtype", "float32"},
                      {"shape", {4}},
                      {"boxes", {{0, 2}, {2, 2}}},
                      {"holders", 0}},
                     {{"fqn", "v"}, {"dtype", "int8"}, {"shape", {4}}, {"layout", 0}}};
  ASSERT_TRUE(read_job(write(good)));
  const auto with = [&](const std::string& pointer, const json& value) {
    json changed = good;
    changed[json::json_pointer(pointer)] = value;
    return refusal(changed).message;
  };
  EXPECT_THAT(with("/tensors/0/boxes/1", {3, 1}), HasSubstr("'w': its boxes do not tile"));
  EXPECT_THAT(with("/tensors/0/boxes/1", {1, 3}), HasSubstr("'w'"));
  EXPECT_THAT(with("/tensors/0/boxes/1", {2, 3}), HasSubstr("'w'"));
  EXPECT_THAT(with("/tensors/0/boxes/1", {2}), HasSubstr("'w'"));
  EXPECT_THAT(with("/tensors/0/boxes/1", {2, 0}), HasSubstr("box"));
  EXPECT_THAT(with("/tensors/0/boxes/1", {-2, 2}), HasSubstr("box"));
  EXPECT_THAT(with("/tensors/0/dtype", "qint8"), HasSubstr("'w': 'qint8'"));
  EXPECT_THAT(with("/tensors/1/fqn", "w"), HasSubstr("'w' stands there twice"));
  EXPECT_THAT(with("/tensors/1/layout", 1), HasSubstr("layout"));
  EXPECT_THAT(with("/tensors/1/shape", json::array()), HasSubstr("'v'"));
  EXPECT_THAT(with("/tensors/0/holders", 9), HasSubstr("holders"));
  EXPECT_THAT(with("/rank_lists/0/one_each", {{0, 3, 1}}), HasSubstr("holders of 3"));
  EXPECT_THAT(with("/rank_lists/0/one_each", {{3, 2, 1}}), HasSubstr("leaves the world"));
  EXPECT_THAT(with("/rank_lists/0/one_each", {{0, 2}}), HasSubstr("run of ranks"));
  EXPECT_THAT(with("/layouts/0/strides", {INT64_MAX}), HasSubstr("beyond 2^31"));
  EXPECT_THAT(with("/rank_lists/0/one_each", {{0, 1099511627776, 0}}), HasSubstr("count"));
  EXPECT_THAT(with("/layouts/0/first_rank", 3), HasSubstr("rank 4"));
  EXPECT_THAT(with("/layouts/0/placements", {"P"}), HasSubstr("R or S(d)"));
  EXPECT_THAT(with("/layouts/0/placements", {"S(0)", "R"}), HasSubstr("placement"));
  EXPECT_THAT(with("/layouts/0/mesh", {0}), HasSubstr("mesh"));
  EXPECT_THAT(with("/tensors/0/shape", {4611686018427387904, 4}), HasSubstr("w"));
  EXPECT_THAT(with("/world_size", 0), HasSubstr("world_size"));
  EXPECT_THAT(with("/tensors", 7), HasSubstr("tensors"));
  json both = good;
  both["rank_lists"][0]["one_each"] = {{1, 2, 0}};  // one rank may hold several boxes
  EXPECT_TRUE(read_job(write(both)));
  json other = good;
  other["version"] = 2;
  EXPECT_EQ(refusal(other).code, ErrorCode::unsupported);
  EXPECT_THAT(refusal(json::array()).message, HasSubstr("no JSON object"));
}

/// Bytes changed at random are refused or read, and nothing worse.
TEST_F(JobFile, DamageIsNoFaultOfOurs) {
  RandomSource random;
  json good = head(4);
  good["rank_lists"] = {{{"one_each", {{0, 2, 1}}}}, {{"sets", {{{0, 4, 1}}}}}};
  good["layouts"] = {{{"mesh", {2}}, {"placements", {"S(0)"}}, {"first_rank", 2}, {"strides", {1}}},
                     {{"mesh", {2, 2}}, {"placements", {"S(0)", "S(1)"}}}};
  good["tensors"] = {
      {{"fqn", "w"},
       {"dtype", "float32"},
       {"shape", {4}},
       {"boxes", {{0, 2}, {2, 2}}},
       {"holders", 0}},
      {{"fqn", "v"}, {"dtype", "int8"}, {"shape", {4}}, {"layout", 0}},
      {{"fqn", "u"}, {"dtype", "int8"}, {"shape", {1, 1}}, {"layout", 1}, {"holders", 1}}};
  const std::string text = good.dump();
  for (int round = 0; round < 600; ++round) {
    std::string damaged = text;
    for (int change = 0; change < 1 + random.number(3); ++change) {
      damaged[random.index(damaged.size())] = static_cast<char>(' ' + random.number(95));
    }
    const std::string path = fmt::format("{}/damaged.json", directory_.path());
    std::ofstream(path) << damaged << std::string(static_cast<std::size_t>(round % 7), ' ');
    if (const auto job = read_job(path)) {
      for (std::int64_t rank = 0; rank < std::min<std::int64_t>((*job)->world_size, 8); ++rank) {
        static_cast<void>(Workload::make(replay(path), rank, (*job)->world_size, Memory::none));
      }
    }
  }
}

}  // namespace
}  // namespace shardmark
