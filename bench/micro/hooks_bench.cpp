// SPDX-License-Identifier: Apache-2.0
// Each hook of each tensor type against what it cannot be faster than, in turns: the lists against
// a plain loop that fills the same structs, a look-up against one in a hash table of names. Counts
// allocations. (The family "hooks" measures whole state dicts, on all ranks.)
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <array>
#include <chrono>
#include <deque>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "bench/machine/allocation_counter.hpp"
#include "shardmark/protocol/state_dict.hpp"
#include "shardmark/tensor/block_cyclic.hpp"
#include "shardmark/tensor/dtensor.hpp"
#include "shardmark/tensor/flat_shard.hpp"
#include "shardmark/tensor/grouped_experts.hpp"
#include "shardmark/tensor/plain_tensor.hpp"
#include "shardmark/tensor/ragged_shard.hpp"
#include "shardmark/tensor/sharded_tensor.hpp"

namespace shardmark::bench {
namespace {

constexpr int num_tensors = 1000;
constexpr std::int64_t world_size = 64;
constexpr std::int64_t rank = 5;

using AnyTensor = std::variant<PlainTensor, DTensor, ShardedTensor, FlatShard, RaggedShard,
                               BlockCyclic, GroupedExperts>;
using MakeTensor = Result<AnyTensor> (*)(std::array<std::byte, 8>& memory);

TensorView view_of(std::array<std::byte, 8>& memory, Dtype dtype, const Dims& sizes) {
  return contiguous_view(memory.data(), dtype, sizes);  // no hook touches the elements
}

template <typename T>
Result<AnyTensor> any(Result<T> tensor) {
  if (!tensor) {
    return tensor.error();
  }
  return AnyTensor(std::move(*tensor));
}

Result<AnyTensor> make_plain(std::array<std::byte, 8>& memory) {
  return AnyTensor(PlainTensor(view_of(memory, Dtype::bfloat16, {4096, 4096})));
}

Result<AnyTensor> make_dtensor(std::array<std::byte, 8>& memory) {
  SHARDMARK_ASSIGN_OR_RETURN(const DeviceMesh mesh, DeviceMesh::row_major({8, 8}));
  const std::array placements = {Placement::replicate(), Placement::shard(0)};
  SHARDMARK_ASSIGN_OR_RETURN(const TensorLayout layout,
                             make_tensor_layout({4096, 4096}, Dtype::bfloat16, mesh, placements));
  SHARDMARK_ASSIGN_OR_RETURN(const Dims local, DTensor::local_sizes(layout, rank));
  return any(DTensor::from_local(view_of(memory, Dtype::bfloat16, local), layout, rank));
}

/// 64 runs.
Result<AnyTensor> make_strided_dtensor(std::array<std::byte, 8>& memory) {
  SHARDMARK_ASSIGN_OR_RETURN(const DeviceMesh mesh, DeviceMesh::row_major({world_size}));
  const std::array placements = {Placement::strided_shard(0, 64)};
  SHARDMARK_ASSIGN_OR_RETURN(const TensorLayout layout,
                             make_tensor_layout({1 << 16, 64}, Dtype::bfloat16, mesh, placements));
  SHARDMARK_ASSIGN_OR_RETURN(const Dims local, DTensor::local_sizes(layout, rank));
  return any(DTensor::from_local(view_of(memory, Dtype::bfloat16, local), layout, rank));
}

Result<AnyTensor> make_sharded(std::array<std::byte, 8>& memory) {
  std::vector<OwnedBox> boxes;
  std::vector<TensorView> views;
  for (std::int64_t row = 0; row < 128; ++row) {
    boxes.push_back({{{32 * row, 0}, {32, 4096}}, row % 16});
    if (row % 16 == rank) {
      views.push_back(view_of(memory, Dtype::bfloat16, {32, 4096}));
    }
  }
  SHARDMARK_ASSIGN_OR_RETURN(const ShardingSpec spec, ShardingSpec::make({4096, 4096}, boxes));
  return any(ShardedTensor::from_local(views, Dtype::bfloat16, spec, rank));
}

Result<AnyTensor> make_flat(std::array<std::byte, 8>& memory) {
  constexpr std::int64_t elements = 4096 * 4096;
  const FlatRange held = flat_part(elements + 77, world_size, rank);
  return any(
      FlatShard::from_buffer(view_of(memory, Dtype::bfloat16, {held.size()}),
                             {{4096, 4096}, Dtype::bfloat16, whole_box({4096, 4096}), 77, held}));
}

Result<AnyTensor> make_ragged(std::array<std::byte, 8>& memory) {
  std::vector<std::int64_t> units;
  for (std::int64_t i = 0; i < world_size; ++i) {
    units.push_back(1 + i % 3);
  }
  SHARDMARK_ASSIGN_OR_RETURN(const FlatRange held,
                             RaggedShard::held_range({4096, 4096}, units, rank));
  return any(RaggedShard::from_buffer(view_of(memory, Dtype::bfloat16, {held.size()}), {4096, 4096},
                                      held));
}

Result<AnyTensor> make_block_cyclic(std::array<std::byte, 8>& memory) {
  SHARDMARK_ASSIGN_OR_RETURN(const DeviceMesh grid, DeviceMesh::row_major({8, 8}));
  const BlockCyclicLayout layout{.global_sizes = {4096, 4096},
                                 .dtype = Dtype::float64,
                                 .grid = grid,
                                 .block_sizes = {64, 64},
                                 .grid_dims = {0, 1},
                                 .source = {0, 0}};
  return any(BlockCyclic::from_local(
      view_of(memory, Dtype::float64, BlockCyclic::local_sizes(layout, rank)), layout, rank));
}

Result<AnyTensor> make_experts(std::array<std::byte, 8>& memory) {
  SHARDMARK_ASSIGN_OR_RETURN(const DeviceMesh mesh, DeviceMesh::row_major({8, 8}));
  const std::array placements = {Placement::shard(1), Placement::shard(0)};
  SHARDMARK_ASSIGN_OR_RETURN(
      const TensorLayout layout,
      make_tensor_layout({64, 1024, 256}, Dtype::bfloat16, mesh, placements));
  SHARDMARK_ASSIGN_OR_RETURN(const Dims local, DTensor::local_sizes(layout, rank));
  return any(GroupedExperts::from_local(view_of(memory, Dtype::bfloat16, local), layout, rank));
}

/// Many tensors of one type, as a model's layers are.
struct Model {
  std::array<std::byte, 8> memory{};
  std::deque<AnyTensor> tensors;
  StateDict state_dict;
  std::vector<std::vector<WriteItem>> items;  // what the plain loop copies, by tensor
  std::vector<MetadataIndex> wanted;          // every box once
  std::vector<std::size_t> tensor_of_wanted;
  std::size_t num_items = 0;
};

Status fill(Model& model, MakeTensor make) {
  for (int i = 0; i < num_tensors; ++i) {
    SHARDMARK_ASSIGN_OR_RETURN(AnyTensor tensor, make(model.memory));
    model.tensors.push_back(std::move(tensor));
    const std::string fqn = fmt::format("model.layers.{}.self_attn.proj_{}.weight", i / 8, i % 8);
    SHARDMARK_RETURN_IF_ERROR(std::visit(
        [&](auto& typed) { return model.state_dict.add(fqn, typed); }, model.tensors.back()));
    const StateDictEntry& entry = model.state_dict.entries().back();
    SHARDMARK_ASSIGN_OR_RETURN(auto items, entry.tensor->create_write_items(entry.fqn));
    for (const WriteItem& item : items) {
      // Planned writes come without the hint.
      model.wanted.push_back({entry.fqn, item.index.offset, std::nullopt});
      model.tensor_of_wanted.push_back(model.items.size());
    }
    model.num_items += items.size();
    model.items.push_back(std::move(items));
  }
  return {};
}

template <typename Pass>
double timed_s(const Pass& pass) {
  const auto start = std::chrono::steady_clock::now();
  pass();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// `hook` and `floor` are passes over the whole model.
template <typename Hook, typename Floor>
void compare(benchmark::State& state, std::size_t calls, std::size_t items, const Hook& hook,
             const Floor& floor) {
  double hook_s = 0;
  double floor_s = 0;
  std::uint64_t allocated = 0;
  for ([[maybe_unused]] auto _ : state) {
    floor_s += timed_s(floor);
    const std::uint64_t before = allocations().count;
    const double elapsed_s = timed_s(hook);
    allocated += allocations().count - before;
    hook_s += elapsed_s;
    state.SetIterationTime(elapsed_s);
  }
  const auto passes = static_cast<double>(state.iterations());
  state.counters["ns_per_item"] = hook_s * 1e9 / passes / static_cast<double>(items);
  state.counters["over_floor"] = hook_s / floor_s;
  state.counters["allocations_per_call"] =
      static_cast<double>(allocated) / passes / static_cast<double>(calls);
  state.counters["items_per_call"] = static_cast<double>(items) / static_cast<double>(calls);
}

void write_items(benchmark::State& state, const Model& model) {
  const auto hook = [&] {
    for (const StateDictEntry& entry : model.state_dict.entries()) {
      auto items = entry.tensor->create_write_items(entry.fqn);
      benchmark::DoNotOptimize(items);
    }
  };
  const auto floor = [&] {
    for (const std::vector<WriteItem>& known : model.items) {
      std::vector<WriteItem> items;
      items.reserve(known.size());
      for (const WriteItem& item : known) {
        items.push_back(item);
      }
      benchmark::DoNotOptimize(items);
    }
  };
  compare(state, model.items.size(), model.num_items, hook, floor);
}

void chunk_list(benchmark::State& state, const Model& model) {
  const auto hook = [&] {
    for (const StateDictEntry& entry : model.state_dict.entries()) {
      auto chunks = entry.tensor->create_chunk_list();
      benchmark::DoNotOptimize(chunks);
    }
  };
  const auto floor = [&] {
    for (const std::vector<WriteItem>& known : model.items) {
      std::vector<ChunkStorageMetadata> chunks;
      chunks.reserve(known.size());
      for (const WriteItem& item : known) {
        chunks.push_back(item.tensor_data.chunk);
      }
      benchmark::DoNotOptimize(chunks);
    }
  };
  compare(state, model.items.size(), model.num_items, hook, floor);
}

void tensor_shard(benchmark::State& state, const Model& model) {
  std::vector<const CheckpointableRef*> refs;
  std::unordered_map<std::string_view, std::size_t> by_name;
  for (const StateDictEntry& entry : model.state_dict.entries()) {
    by_name.emplace(entry.fqn, refs.size());
    refs.push_back(entry.tensor);
  }
  const auto hook = [&] {
    for (std::size_t i = 0; i < model.wanted.size(); ++i) {
      auto shard = refs[model.tensor_of_wanted[i]]->get_tensor_shard(model.wanted[i]);
      benchmark::DoNotOptimize(shard);
    }
  };
  const auto floor = [&] {
    for (const MetadataIndex& index : model.wanted) {
      auto found = by_name.find(index.fqn);
      benchmark::DoNotOptimize(found);
    }
  };
  compare(state, model.wanted.size(), model.wanted.size(), hook, floor);
}

void register_benchmarks() {
  constexpr std::array<std::pair<const char*, MakeTensor>, 8> types = {
      {{"PlainTensor", make_plain},
       {"DTensor", make_dtensor},
       {"DTensor-strided", make_strided_dtensor},
       {"ShardedTensor", make_sharded},
       {"FlatShard", make_flat},
       {"RaggedShard", make_ragged},
       {"BlockCyclic", make_block_cyclic},
       {"GroupedExperts", make_experts}}};
  using Measure = void (*)(benchmark::State&, const Model&);
  constexpr std::array<std::pair<const char*, Measure>, 3> hooks = {
      {{"create_write_items", write_items},
       {"create_chunk_list", chunk_list},
       {"get_tensor_shard", tensor_shard}}};
  for (const auto& [type, make] : types) {
    for (const auto& [hook, measure] : hooks) {
      const auto run = [make = make, measure = measure](benchmark::State& state) {
        Model model;
        if (const Status filled = fill(model, make); !filled) {
          state.SkipWithError(filled.error().message.c_str());
          return;
        }
        measure(state, model);
      };
      benchmark::RegisterBenchmark(fmt::format("hooks/{}/{}", type, hook).c_str(), run)
          ->UseManualTime()
          ->Unit(benchmark::kMicrosecond);
    }
  }
}

}  // namespace
}  // namespace shardmark::bench

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    return 2;
  }
  shardmark::bench::register_benchmarks();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
