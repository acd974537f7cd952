// SPDX-License-Identifier: Apache-2.0
#include "shardmark/workload/workload.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "shardmark/testing/temporary_directory.hpp"
#include "shardmark/workload/safetensors_test_fixture.hpp"
#include "shardmark/workload/value_law.hpp"

namespace shardmark {
namespace {

using ::testing::HasSubstr;
using namespace safetensors_test;

WorkloadOptions tiny(std::string strategy) {
  WorkloadOptions options;
  options.model.name = "tiny";
  options.parallel.strategy = std::move(strategy);
  return options;
}

Workload make(const WorkloadOptions& options, std::int64_t rank, std::int64_t world,
              Memory memory = Memory::allocate) {
  auto workload = Workload::make(options, rank, world, memory);
  EXPECT_TRUE(workload) << workload.error().message;
  return std::move(*workload);
}

struct Held {
  std::vector<int> holders;  // per element of the global tensor
};

/// Every element that a rank holds, counted, its bytes compared with the law one by one.
void take_part(const Workload& workload, std::uint64_t seed, std::map<std::string, Held>& held) {
  for (const StateDictEntry& entry : workload.state_dict().entries()) {
    if (entry.tensor == nullptr) {
      continue;
    }
    auto& holders = held[entry.fqn].holders;
    const auto items = entry.tensor->create_write_items(entry.fqn).value();
    if (items.empty()) {
      continue;
    }
    const Dims& global_sizes = items[0].tensor_data.size;
    const Dtype dtype = items[0].tensor_data.properties.dtype;
    holders.resize(static_cast<std::size_t>(volume(global_sizes)));
    const Dims strides = row_major_strides(global_sizes);
    const std::int64_t itemsize = element_size(dtype);
    for (const WriteItem& item : items) {
      const Box& box = item.tensor_data.chunk;
      const ConstTensorView view = entry.tensor->get_tensor_shard(item.index).value();
      for (std::int64_t i = 0; i < box.num_elements(); ++i) {
        std::int64_t rest = i;
        std::int64_t global = 0;
        std::int64_t place = 0;
        for (int d = box.ndim() - 1; d >= 0; --d) {
          global += (box.offsets[d] + rest % box.sizes[d]) * strides[d];
          place += rest % box.sizes[d] * view.strides[d];
          rest /= box.sizes[d];
        }
        ++holders.at(static_cast<std::size_t>(global));
        const auto word = value_word(entry.fqn, seed, static_cast<std::uint64_t>(global));
        if (dtype == Dtype::float32) {
          float value;
          std::memcpy(&value, view.data + place * itemsize, sizeof value);
          ASSERT_EQ(static_cast<double>(value), static_cast<double>(word >> 40) / (1 << 24))
              << entry.fqn;
        }
      }
    }
  }
}

TEST(Workload, RanksTogetherHoldTheModelWithTheLawsValues) {
  constexpr std::uint64_t seed = 11;
  for (const std::string_view strategy : strategy_names()) {
    for (const std::int64_t world : {3, 4}) {
      WorkloadOptions options = tiny(std::string(strategy));
      options.model.optimizer = "sgd-momentum";
      if (strategy.starts_with("megatron") && world == 4) {
        options.parallel.pp = 2;
      }
      SCOPED_TRACE(std::string(strategy) + " on " + std::to_string(world));
      std::map<std::string, Held> held;
      std::int64_t most = 0;
      std::int64_t global = 0;
      for (std::int64_t rank = 0; rank < world; ++rank) {
        Workload workload = make(options, rank, world);
        workload.poison();
        EXPECT_EQ(workload.check(seed).error().code, ErrorCode::data_loss);
        workload.fill(seed);
        const Status status = workload.check(seed);
        ASSERT_TRUE(status) << status.error().message;
        EXPECT_FALSE(workload.check(seed + 1));
        take_part(workload, seed, held);
        most = std::max(most, workload.local_num_bytes());
        global = workload.global_num_bytes();
        if (strategy == "ddp") {
          EXPECT_EQ(workload.local_num_bytes(), global);
        }
      }
      EXPECT_LE(most, global);
      for (const auto& [fqn, part] : held) {
        const bool once = strategy == "fsdp" && fqn.find("scalar") == std::string::npos;
        for (const int holders : part.holders) {
          ASSERT_GE(holders, 1) << fqn;
          ASSERT_LE(holders, once ? 1 : world) << fqn;
        }
      }
      EXPECT_EQ(held.size(), 27U + 17U);
    }
  }
}

TEST(Workload, MemoryIsAlignedAndApart) {
  Workload workload = make(tiny("fsdp-tp"), 1, 4);
  std::vector<std::pair<const std::byte*, std::int64_t>> parts;
  std::int64_t bytes = 0;
  for (const StateDictEntry& entry : workload.state_dict().entries()) {
    if (entry.tensor == nullptr) {
      bytes += static_cast<std::int64_t>(entry.object.size());
      continue;
    }
    const auto boxes = entry.tensor->create_chunk_list().value();
    std::int64_t local = 0;
    for (const Box& box : boxes) {
      local += box.num_elements() * element_size(entry.tensor->layout()->dtype);
    }
    const auto first =
        entry.tensor->get_tensor_shard({entry.fqn, boxes.front().offsets, 0}).value();
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(first.data) % 64, 0U) << entry.fqn;
    parts.emplace_back(first.data, local);
    bytes += local;
  }
  EXPECT_EQ(bytes, workload.local_num_bytes());
  std::sort(parts.begin(), parts.end());
  for (std::size_t i = 1; i < parts.size(); ++i) {
    EXPECT_LE(parts[i - 1].first + parts[i - 1].second, parts[i].first);
  }
}

TEST(Workload, ObjectsAndEntriesAreTheSameOnEveryRank) {
  WorkloadOptions options = tiny("megatron");
  options.parallel.pp = 4;
  options.parallel.tp = 1;
  const Workload first = make(options, 0, 4);
  const Workload third = make(options, 2, 4);  // two layers over four stages: it has none
  ASSERT_EQ(first.state_dict().size(), third.state_dict().size());
  for (std::size_t i = 0; i < first.state_dict().size(); ++i) {
    const StateDictEntry& a = first.state_dict().entries()[i];
    const StateDictEntry& b = third.state_dict().entries()[i];
    EXPECT_EQ(a.fqn, b.fqn);
    if (a.tensor != nullptr) {
      EXPECT_EQ(*a.tensor->layout(), *b.tensor->layout());
      EXPECT_TRUE(b.tensor->create_write_items(b.fqn).value().empty());
    }
  }
  EXPECT_EQ(third.state_dict().find("step")->object.size(), 8U);
  EXPECT_EQ(third.state_dict().find("rng_state")->object.size(), 5056U);
  EXPECT_EQ(third.state_dict().find("dataloader_state")->object.size(), 1024U);
  EXPECT_EQ(third.local_num_bytes(), 8 + 5056 + 1024);
}

TEST(Workload, MovesThroughAWholeVirtualWorld) {
  for (const char* strategy : {"hsdp", "fsdp-tp", "megatron", "zero1"}) {
    WorkloadOptions options = tiny(strategy);
    if (options.parallel.strategy == "megatron") {
      options.parallel.pp = 3;
    }
    Workload moving = make(options, 0, 24, Memory::none);
    const StateDictEntry* const entry = &moving.state_dict().entries().front();
    for (std::int64_t rank = 23; rank >= 0; rank -= 5) {
      ASSERT_TRUE(moving.move_to_rank(rank));
      const Workload fresh = make(options, rank, 24, Memory::none);
      EXPECT_EQ(moving.local_num_bytes(), fresh.local_num_bytes());
      for (const StateDictEntry& other : fresh.state_dict().entries()) {
        if (other.tensor != nullptr) {
          EXPECT_EQ(moving.state_dict().find(other.fqn)->tensor->create_chunk_list().value(),
                    other.tensor->create_chunk_list().value());
        }
      }
    }
    EXPECT_EQ(entry, &moving.state_dict().entries().front());
    EXPECT_FALSE(moving.move_to_rank(24));
    EXPECT_FALSE(moving.move_to_rank(-1));
  }
  EXPECT_FALSE(make(tiny("ddp"), 0, 2).move_to_rank(1)) << "it has memory";
}

TEST(Workload, FilterKeepsWhatItNames) {
  WorkloadOptions options = tiny("fsdp");
  options.filter = [](std::string_view fqn) { return fqn.find("head") != fqn.npos; };
  const Workload workload = make(options, 0, 2);
  ASSERT_EQ(workload.state_dict().size(), 4U);
  EXPECT_EQ(workload.state_dict().entries().front().fqn, "head.weight");
  EXPECT_EQ(workload.global_num_bytes(), 1009 * 61 * 14);
}

TEST(Workload, DamageIsNamed) {
  Workload workload = make(tiny("fsdp"), 1, 2);
  workload.fill(7);
  const auto view = workload.state_dict()
                        .find("layers.0.codes")
                        ->tensor->get_mutable_tensor_shard({"layers.0.codes", Dims{64, 0}, {}});
  view->data[(3 * 31 + 5) * 4] ^= std::byte{1};
  const Status status = workload.check(7);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::data_loss);
  EXPECT_NE(status.error().message.find("'layers.0.codes' at [67, 5]: expected "),
            std::string::npos)
      << status.error().message;
}

TEST(Workload, Refusals) {
  EXPECT_FALSE(Workload::make(tiny("fsdp"), 2, 2, Memory::none));
  EXPECT_FALSE(Workload::make(tiny("nothing"), 0, 2, Memory::none));
  WorkloadOptions huge = tiny("ddp");
  huge.model.name = "llama3-405b";
  const auto refused = Workload::make(huge, 0, 2, Memory::allocate);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("model.scale"), std::string::npos);
}

TEST(Workload, TensorsMayHaveTheNamesOfObjects) {
  const shardmark::testing::TemporaryDirectory directory;
  WorkloadOptions options;
  options.model.name = "file";
  options.model.safetensors = directory.path() + "/s.safetensors";
  options.parallel.strategy = "fsdp";
  write_tensors(options.model.safetensors, {{"step", "I64", {}, 8}, {"w", "F32", {8}, 32}});
  auto workload = Workload::make(options, 0, 2, Memory::allocate);
  ASSERT_TRUE(workload) << workload.error().message;
  const auto* const tensor = workload->state_dict().find("step");
  ASSERT_NE(tensor, nullptr);
  EXPECT_NE(tensor->tensor, nullptr);
  ASSERT_NE(workload->state_dict().find("object.step"), nullptr);
  EXPECT_EQ(workload->state_dict().find("object.step")->tensor, nullptr);
  workload->fill(3);
  EXPECT_TRUE(workload->check(3));
  ASSERT_EQ(workload->notes().size(), 1U);
  // A filter changes no name: what a save called it a load of a part finds.
  options.filter = [](std::string_view fqn) { return fqn != "step"; };
  EXPECT_NE(Workload::make(options, 0, 2, Memory::none)->state_dict().find("object.step"), nullptr);
}

TEST(Workload, WhatIsLeftUncutIsSaid) {
  const shardmark::testing::TemporaryDirectory directory;
  WorkloadOptions options;
  options.model.name = "file";
  options.model.optimizer = "none";
  options.model.safetensors = directory.path() + "/g.safetensors";
  options.parallel.strategy = "megatron";
  write_tensors(options.model.safetensors, {{"h.0.attn.qqq.weight", "F32", {96, 288}, 110592},
                                            {"h.0.mlp.www.weight", "F32", {96, 384}, 147456}});
  const auto uncut = Workload::make(options, 0, 4, Memory::none);
  ASSERT_TRUE(uncut) << uncut.error().message;
  ASSERT_TRUE(uncut->uncut());
  EXPECT_EQ(uncut->uncut()->all.num_bytes, 110592 + 147456);
  EXPECT_EQ(uncut->uncut()->unknown.num_bytes, 110592 + 147456);
  EXPECT_EQ(uncut->uncut()->unknown.tensors, 2);
  ASSERT_EQ(uncut->notes().size(), 1U);
  EXPECT_THAT(uncut->notes()[0], HasSubstr("100 %"));
  EXPECT_THAT(uncut->notes()[0], HasSubstr("h.0.mlp.www.weight"));
  write_tensors(options.model.safetensors, {{"layers.0.q_proj.weight", "F32", {96, 288}, 110592},
                                            {"norm.weight", "F32", {96}, 384}});
  const auto cut = Workload::make(options, 0, 4, Memory::none);
  EXPECT_EQ(cut->uncut()->all.num_bytes, 384);
  EXPECT_EQ(cut->uncut()->unknown.tensors, 0);
  EXPECT_TRUE(cut->notes().empty());
  options.parallel.strategy = "fsdp";
  EXPECT_FALSE(Workload::make(options, 0, 4, Memory::none)->uncut());
}

}  // namespace
}  // namespace shardmark
