// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "shardmark/plan/merge/local_save_plan.hpp"
#include "shardmark/plan/owners/save_plan.hpp"
#include "shardmark/testing/random_source.hpp"

namespace shardmark {
namespace {

using shardmark::testing::RandomSource;
using Bytes = std::vector<std::byte>;

/// A random world: entries with tilings, some of them empty, 0-d or objects.
struct World {
  EntryTable entries;
  ChunkTable chunks;
};

World random_world(RandomSource& random) {
  World world;
  std::map<std::string, int> names;
  for (std::int64_t n = random.number(6); n >= 0; --n) {
    names[std::string(random.index(4), 'a') + std::to_string(random.number(100))] = 0;
  }
  for (const auto& [name, unused] : names) {
    Entry entry;
    entry.fqn = name;
    entry.kind = random.one_in(4) ? EntryKind::object : EntryKind::tensor;
    const bool object = entry.kind == EntryKind::object;
    entry.dtype = object ? Dtype::uint8 : *dtype_from_number(random.index(num_dtypes));
    entry.sizes = random.sizes(object ? 1 : static_cast<int>(random.number(5)), 0, 300);
    entry.first_chunk = world.entries.num_chunks();
    std::vector<Box> boxes;
    if (!whole_box(entry.sizes).empty()) {
      boxes = random.tiling(entry.sizes, object ? 0 : static_cast<int>(random.number(3)));
      std::sort(boxes.begin(), boxes.end());
    }
    entry.num_chunks = boxes.size();
    for (const Box& box : boxes) {
      world.chunks.append(box);
    }
    world.entries.entries.push_back(entry);
  }
  return world;
}

Bytes encoded(const auto& value, const auto&... more) {
  ByteWriter out;
  encode(value, more..., out);
  return std::move(out).take();
}

void mutate(RandomSource& random, Bytes& bytes) {
  for (std::int64_t n = 1 + random.number(3); n > 0 && !bytes.empty(); --n) {
    const auto at = bytes.begin() + random.number(static_cast<std::int64_t>(bytes.size()));
    switch (random.number(4)) {
      case 0:
        bytes.erase(at);
        break;
      case 1:
        bytes.insert(at, static_cast<std::byte>(random.number(256)));
        break;
      case 2:
        *at ^= static_cast<std::byte>(1U << random.index(8));
        break;
      default:
        *at = static_cast<std::byte>(random.number(256));
    }
  }
}

/// Every truncation is refused; every mutation is refused or is itself what encode() writes for
/// what was understood. `decode_again(bytes)` gives the bytes of what it understood.
template <typename DecodeAgain>
void expect_strict(RandomSource& random, const Bytes& good, const DecodeAgain& decode_again) {
  const Result<Bytes> same = decode_again(good);
  ASSERT_TRUE(same) << same.error().message;
  ASSERT_EQ(*same, good);
  for (std::size_t size = 0; size < good.size(); ++size) {
    // A copy of its own, so that a sanitizer sees every step beyond it.
    const Bytes cut(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size));
    const Result<Bytes> got = decode_again(cut);
    ASSERT_FALSE(got) << size << " of " << good.size() << " bytes";
    ASSERT_EQ(got.error().code, ErrorCode::data_loss);
  }
  for (int round = 0; round < 60; ++round) {
    Bytes bytes = good;
    mutate(random, bytes);
    if (const Result<Bytes> got = decode_again(bytes)) {
      ASSERT_EQ(*got, bytes);
    } else {
      ASSERT_EQ(got.error().code, ErrorCode::data_loss);
    }
  }
}

TEST(PlanCodec, EntryTableIsStrict) {
  RandomSource random;
  for (int round = 0; round < 60; ++round) {
    const World world = random_world(random);
    expect_strict(random, encoded(world.entries), [](const Bytes& bytes) -> Result<Bytes> {
      ByteReader in(bytes);
      SHARDMARK_ASSIGN_OR_RETURN(const EntryTable table, decode_entry_table(in));
      if (!in.at_end()) {
        return Error{ErrorCode::data_loss, "more"};
      }
      for (const Entry& entry : table.entries) {
        EXPECT_EQ(table.find(entry.fqn), &entry - table.entries.data());
        EXPECT_GE(entry.num_bytes(), 0);
      }
      return encoded(table);
    });
  }
}

TEST(PlanCodec, ChunkTableIsStrict) {
  RandomSource random;
  for (int round = 0; round < 60; ++round) {
    const World world = random_world(random);
    expect_strict(
        random, encoded(world.chunks, world.entries), [&](const Bytes& bytes) -> Result<Bytes> {
          ByteReader in(bytes);
          SHARDMARK_ASSIGN_OR_RETURN(const ChunkTable table, decode_chunk_table(in, world.entries));
          if (!in.at_end()) {
            return Error{ErrorCode::data_loss, "more"};
          }
          return encoded(table, world.entries);
        });
  }
}

LocalSavePlan local_plan_of(const World& world) {
  LocalSavePlan plan;
  for (const Entry& entry : world.entries.entries) {
    plan.entries.push_back({entry.fqn, entry.kind, entry.dtype, entry.sizes, plan.boxes.size(),
                            static_cast<std::size_t>(entry.num_chunks)});
    for (std::uint64_t i = 0; i < entry.num_chunks; ++i) {
      plan.boxes.push_back(world.chunks.box(entry.first_chunk + i, entry.sizes.ndim()));
    }
  }
  return plan;
}

TEST(PlanCodec, LocalPlanIsStrict) {
  RandomSource random;
  for (int round = 0; round < 60; ++round) {
    const World world = random_world(random);
    expect_strict(random, encoded(local_plan_of(world)), [](const Bytes& bytes) -> Result<Bytes> {
      SHARDMARK_ASSIGN_OR_RETURN(const LocalSavePlan plan, decode_local_save_plan(bytes));
      for (const auto& entry : plan.entries) {
        for (const Box& box : plan.boxes_of(entry)) {
          EXPECT_TRUE(contains(whole_box(entry.sizes), box));
        }
      }
      return encoded(plan);
    });
  }
}

TEST(PlanCodec, AssignedPlanIsStrict) {
  RandomSource random;
  for (int round = 0; round < 60; ++round) {
    const World world = random_world(random);
    SavePlan plan;
    for (std::uint32_t e = 0; e < world.entries.entries.size(); ++e) {
      const Entry& entry = world.entries.entries[e];
      for (std::uint64_t c = 0; c < entry.num_chunks; ++c) {
        PlannedWrite write{e, entry.first_chunk + c, {}, {}};
        write.box = world.chunks.box(write.chunk, entry.sizes.ndim());
        write.source = write.box.offsets;
        if (entry.sizes.ndim() > 0 && random.one_in(3)) {
          write.source[0] = random.number(write.source[0] + 1);
        }
        plan.writes.push_back(write);
      }
    }
    expect_strict(random, encoded(plan, world.entries), [&](const Bytes& bytes) -> Result<Bytes> {
      SHARDMARK_ASSIGN_OR_RETURN(const SavePlan got, decode_save_plan(bytes, world.entries));
      for (const PlannedWrite& write : got.writes) {
        const Entry& entry = world.entries.entries.at(write.entry);
        EXPECT_TRUE(!write.box.empty() && contains(whole_box(entry.sizes), write.box));
        EXPECT_LT(write.chunk - entry.first_chunk, entry.num_chunks);
      }
      return encoded(got, world.entries);
    });
  }
}

/// Extents of up to `max_bits` bits that fill 2^63 bytes as far as they can, and the longest box.
struct Longest {
  Dims sizes;
  Box box;
};
Longest longest_item(int ndim, int max_bits) {
  Longest item{Dims::filled(ndim, 1), whole_box(Dims::filled(ndim, 1))};
  int left = 62;
  for (int d = 0; d < ndim; ++d) {
    const int bits = std::min(left, max_bits);
    item.sizes[d] = (std::int64_t{1} << bits) - (bits == max_bits ? 1 : 0);
    left -= bits;
    item.box.offsets[d] = item.sizes[d] / 2;
    item.box.sizes[d] = item.sizes[d] - item.box.offsets[d];
  }
  return item;
}

TEST(PlanCodec, AnItemTakesAtMost64BytesBesidesItsName) {
  for (const bool usual : {true, false}) {
    std::size_t worst = 0;
    for (int ndim = 0; ndim <= (usual ? 4 : max_ndim); ++ndim) {
      for (int bits = 7; bits <= (usual ? 32 : 62); ++bits) {
        const auto [sizes, box] = longest_item(ndim, bits);
        ASSERT_TRUE(checked_volume(sizes));
        LocalSavePlan local;
        local.entries.push_back({"", EntryKind::tensor, Dtype::uint8, sizes, 0, 1});
        local.boxes.push_back(box);
        EntryTable entries;
        entries.entries.push_back(
            {"", EntryKind::tensor, Dtype::uint8, sizes, 0, INT64_MAX});  // no chunk is further on
        const SavePlan assigned{{{0, (std::uint64_t{1} << 40), box.offsets, box}}};
        worst = std::max({worst, encoded(local).size(), encoded(assigned, entries).size()});
        EXPECT_TRUE(decode_local_save_plan(encoded(local)));
      }
    }
    RecordProperty(usual ? "worst_usual_bytes" : "worst_bytes", static_cast<int>(worst));
    EXPECT_LE(worst, usual ? 64U : 160U);
    EXPECT_GT(worst, 40U);
  }
}

}  // namespace
}  // namespace shardmark
