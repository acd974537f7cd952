// SPDX-License-Identifier: Apache-2.0
// Bytes of other ranks: local plans (and the merge behind them), merged plans, entry tables with
// chunk tables, assigned plans. The first byte says which; whatever is accepted must come back the
// same.
#include <cstdlib>

#include "shardmark/plan/merge/local_save_plan.hpp"
#include "shardmark/plan/save/make_global_plan.hpp"
#include "shardmark/plan/tables/chunk_table.hpp"
#include "shardmark/testing/fuzz/fuzz_target.hpp"

namespace shardmark::testing {
namespace {

enum class Kind : std::uint8_t { local_plan, tables, assigned_plan, merged_plans };

/// What the assigned plans of this target refer to.
EntryTable known_entries() {
  EntryTable table;
  table.entries.push_back({"a", EntryKind::tensor, Dtype::float32, {16, 4}, 0, 4});
  table.entries.push_back({"b", EntryKind::tensor, Dtype::int8, {}, 4, 1});
  table.entries.push_back({"step", EntryKind::object, Dtype::uint8, {8}, 5, 1});
  return table;
}

void require(bool condition) {
  if (!condition) {
    std::abort();
  }
}

void expect_same(const ByteWriter& out, std::span<const std::byte> bytes) {
  require(std::equal(out.bytes().begin(), out.bytes().end(), bytes.begin(), bytes.end()));
}

void try_local_plan(std::span<const std::byte> bytes) {
  const auto plan = decode_local_save_plan(bytes);
  if (!plan) {
    return;
  }
  ByteWriter out;
  encode(*plan, out);
  expect_same(out, bytes);
  MergedPlans merged;
  if (merged.add(0, bytes)) {
    static_cast<void>(merged.add(1, bytes));
    const auto global = make_global_plan(std::move(merged), 2, DedupPolicy::balanced);
    require(!global || global->owners.size() == global->chunks.size());
  }
}

void try_tables(std::span<const std::byte> bytes) {
  ByteReader in(bytes);
  const auto entries = decode_entry_table(in);
  if (!entries) {
    return;
  }
  const auto chunks = decode_chunk_table(in, *entries);
  if (!chunks) {
    return;
  }
  require(chunks->size() == entries->num_chunks());
  constexpr std::uint64_t most = 64;
  for (const Entry& entry : entries->entries) {
    for (std::uint64_t i = 0; i < std::min(most, entry.num_chunks); ++i) {
      const Box box = chunks->box(entry.first_chunk + i, entry.sizes.ndim());
      require(!box.empty() && contains(whole_box(entry.sizes), box));
    }
  }
  // Layouts may be written twice or for nobody; once is enough.
  ByteWriter out;
  encode(*entries, out);
  encode(*chunks, *entries, out);
  ByteReader again(out.bytes());
  const auto same_entries = decode_entry_table(again);
  require(same_entries && decode_chunk_table(again, *same_entries));
}

void try_assigned_plan(std::span<const std::byte> bytes) {
  static const EntryTable entries = known_entries();
  const auto plan = decode_save_plan(bytes, entries);
  if (plan) {
    ByteWriter out;
    encode(*plan, entries, out);
    expect_same(out, bytes);
  }
}

constexpr RankInterval merged_ranks{1, 6};

void try_merged_plans(std::span<const std::byte> bytes) {
  MergedPlans merged(merged_ranks.first, true);
  if (!merged.add_merged(merged_ranks, bytes)) {
    return;
  }
  // Sets and names may be written that nobody uses, or twice; once is enough.
  ByteWriter out;
  encode(merged, out);
  MergedPlans again(merged_ranks.first, true);
  require(bool(again.add_merged(merged_ranks, out.bytes())));
  require(again.num_chunks == merged.num_chunks);
  const auto global = make_global_plan(std::move(again), merged_ranks.end, DedupPolicy::dcp);
  require(!global || global->owners.size() == global->chunks.size());
}

std::vector<std::byte> seed_of(Kind kind, const ByteWriter& out) {
  std::vector<std::byte> bytes = {static_cast<std::byte>(kind)};
  bytes.insert(bytes.end(), out.bytes().begin(), out.bytes().end());
  return bytes;
}

ByteWriter tables_seed(bool with_layouts) {
  EntryTable entries = known_entries();
  ChunkTable chunks;
  const DeviceMesh mesh = *DeviceMesh::row_major({2, 2});
  const std::vector<Placement> nested = {Placement::strided_shard(0, 2), Placement::shard(0)};
  const std::vector<Placement> whole = {Placement::replicate(), Placement::replicate()};
  if (with_layouts) {
    chunks.append(ChunkGrid::make(*make_tensor_layout({16, 4}, Dtype::float32, mesh, nested)));
    chunks.append(ChunkGrid::make(*make_tensor_layout({}, Dtype::int8, mesh, whole)));
  } else {
    for (std::int64_t row = 0; row < 16; row += 4) {
      chunks.append({{row, 0}, {4, 4}});
    }
    chunks.append(Box{});
  }
  chunks.append(whole_box({8}));
  ByteWriter out;
  encode(entries, out);
  encode(chunks, entries, out);
  return out;
}

}  // namespace

std::vector<std::vector<std::byte>> fuzz_seeds() {
  LocalSavePlan local;
  local.entries.push_back({"a", EntryKind::tensor, Dtype::float32, {16, 4}, 0, 2});
  local.entries.push_back({"b", EntryKind::tensor, Dtype::int8, {}, 2, 1});
  local.entries.push_back({"step", EntryKind::object, Dtype::uint8, {8}, 3, 1});
  local.boxes = {{{0, 0}, {8, 4}}, {{8, 0}, {8, 4}}, {}, whole_box({8})};
  ByteWriter local_bytes;
  encode(local, local_bytes);
  SavePlan assigned;
  assigned.writes.push_back({0, 1, {0, 0}, {{4, 0}, {4, 4}}});
  assigned.writes.push_back({0, 3, {12, 0}, {{12, 0}, {4, 4}}});
  assigned.writes.push_back({2, 5, {0}, whole_box({8})});
  ByteWriter assigned_bytes;
  encode(assigned, known_entries(), assigned_bytes);
  MergedPlans merged(merged_ranks.first, true);
  for (int rank = merged_ranks.first; rank < merged_ranks.end; ++rank) {
    require(bool(merged.add(rank, local_bytes.bytes())));
  }
  ByteWriter merged_bytes;
  encode(merged, merged_bytes);
  return {seed_of(Kind::local_plan, local_bytes), seed_of(Kind::tables, tables_seed(false)),
          seed_of(Kind::tables, tables_seed(true)), seed_of(Kind::assigned_plan, assigned_bytes),
          seed_of(Kind::merged_plans, merged_bytes)};
}

}  // namespace shardmark::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using shardmark::testing::Kind;
  if (size == 0) {
    return 0;
  }
  const std::span<const std::byte> bytes(reinterpret_cast<const std::byte*>(data) + 1, size - 1);
  switch (static_cast<Kind>(data[0] % 4)) {
    case Kind::local_plan:
      shardmark::testing::try_local_plan(bytes);
      break;
    case Kind::tables:
      shardmark::testing::try_tables(bytes);
      break;
    case Kind::assigned_plan:
      shardmark::testing::try_assigned_plan(bytes);
      break;
    case Kind::merged_plans:
      shardmark::testing::try_merged_plans(bytes);
      break;
  }
  return 0;
}
