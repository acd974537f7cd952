// SPDX-License-Identifier: Apache-2.0
// What the coordinator does with the plans of all ranks (merge, validate,
// de-duplicate, balance, metadata), against one std::sort of as many 64-byte
// records in the same process, in turns. Afterwards: the exponent with which
// the time grows with the number of items.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <array>
#include <chrono>
#include <cmath>
#include <ctime>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "bench/machine/allocation_counter.hpp"
#include "bench/machine/keep_freed_memory.hpp"
#include "shardmark/plan/save/make_global_plan.hpp"
#include "shardmark/protocol/shard_rule.hpp"

namespace shardmark::bench {
namespace {

constexpr int num_tensors = 1000;

/// How every tensor is cut: over all ranks, over 8 of them along its columns
/// too, or over one half of them with a copy on the other.
enum class Pattern { rows, grid, copies };

struct World {
  std::vector<std::vector<std::byte>> plans;  // encoded, by rank
  std::size_t wire_bytes = 0;
  std::int64_t items = 0;
};

Box box_of(Pattern pattern, const Dims& sizes, std::int64_t rank, std::int64_t world_size) {
  const auto part = [](std::int64_t extent, std::int64_t parts, std::int64_t i) {
    return std::pair(extent * i / parts, extent * (i + 1) / parts - extent * i / parts);
  };
  const std::int64_t columns = pattern == Pattern::grid ? 8 : 1;
  const std::int64_t rows = world_size / columns / (pattern == Pattern::copies ? 2 : 1);
  const auto [row, num_rows] = part(sizes[0], rows, rank / columns % rows);
  const auto [column, num_columns] = part(sizes[1], columns, rank % columns);
  return {{row, column}, {num_rows, num_columns}};
}

World make_world(Pattern pattern, std::int64_t items) {
  const std::int64_t world_size = std::max<std::int64_t>(items / num_tensors / 8 * 8, 8);
  std::vector<std::string> names;
  for (int t = 0; t < num_tensors; ++t) {
    names.push_back(fmt::format("model.layers.{}.self_attn.proj_{}.weight", t / 8, t % 8));
  }
  World world;
  LocalSavePlan plan;
  for (std::int64_t rank = 0; rank < world_size; ++rank) {
    plan.entries.clear();
    plan.boxes.clear();
    for (int t = 0; t < num_tensors; ++t) {
      const Dims sizes = {16384 + 128 * (t % 7), 8192};
      plan.entries.push_back({names[static_cast<std::size_t>(t)], EntryKind::tensor,
                              Dtype::bfloat16, sizes, plan.boxes.size(), 1});
      plan.boxes.push_back(box_of(pattern, sizes, rank, world_size));
    }
    ByteWriter out;
    encode(plan, out);
    world.plans.emplace_back(out.bytes().begin(), out.bytes().end());
    world.wire_bytes += out.size();
    world.items += num_tensors;
  }
  return world;
}

struct Record {
  std::uint64_t key;
  std::array<std::uint64_t, 7> rest;
};
static_assert(sizeof(Record) == 64);

std::vector<Record> random_records(std::int64_t count) {
  std::mt19937_64 random(1);
  std::vector<Record> records(static_cast<std::size_t>(count));
  for (Record& record : records) {
    record.key = random();
  }
  return records;
}

/// Wall clock, and this thread's share of a processor: on a busy machine the
/// steadier of the two.
struct Seconds {
  double wall = 0;
  double cpu = 0;

  static Seconds now() {
    timespec spent{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
    const auto wall = std::chrono::steady_clock::now().time_since_epoch();
    return {std::chrono::duration<double>(wall).count(),
            static_cast<double>(spent.tv_sec) + 1e-9 * static_cast<double>(spent.tv_nsec)};
  }
  static Seconds since(const Seconds& start) {
    const Seconds end = now();
    return {end.wall - start.wall, end.cpu - start.cpu};
  }
  void add(const Seconds& other) {
    wall += other.wall;
    cpu += other.cpu;
  }
};

Seconds sort_s(std::vector<Record> records) {
  const Seconds start = Seconds::now();
  std::sort(records.begin(), records.end(),
            [](const Record& a, const Record& b) { return a.key < b.key; });
  const Seconds elapsed = Seconds::since(start);
  benchmark::DoNotOptimize(records.data());
  return elapsed;
}

/// The plan and the metadata that a manifest would hold.
Status plan_once(const World& world, Seconds& elapsed) {
  const Seconds start = Seconds::now();
  MergedPlans merged;
  for (std::size_t rank = 0; rank < world.plans.size(); ++rank) {
    SHARDMARK_RETURN_IF_ERROR(merged.add(static_cast<int>(rank), world.plans[rank]));
  }
  SHARDMARK_ASSIGN_OR_RETURN(
      const GlobalSavePlan plan,
      make_global_plan(std::move(merged), static_cast<int>(world.plans.size()),
                       DedupPolicy::balanced));
  ByteWriter metadata;
  metadata.reserve(16 * plan.chunks.size());
  encode(plan.entries, metadata);
  encode(plan.chunks, plan.entries, metadata);
  elapsed = Seconds::since(start);
  benchmark::DoNotOptimize(metadata.bytes().data());
  return {};
}

void global_plan(benchmark::State& state, Pattern pattern) {
  const World world = make_world(pattern, state.range(0));
  const std::vector<Record> records = random_records(world.items);
  Seconds all_plans;
  Seconds all_sorts;
  std::int64_t peak_bytes = 0;
  for ([[maybe_unused]] auto _ : state) {
    all_sorts.add(sort_s(records));
    const std::int64_t live_before = allocations().live_bytes;
    reset_peak();
    Seconds elapsed;
    if (const Status planned = plan_once(world, elapsed); !planned) {
      state.SkipWithError(planned.error().message.c_str());
      return;
    }
    peak_bytes = std::max(peak_bytes, allocations().peak_bytes - live_before);
    all_plans.add(elapsed);
    state.SetIterationTime(elapsed.wall);
  }
  state.counters["items"] = static_cast<double>(world.items);
  state.counters["over_sort"] = all_plans.wall / all_sorts.wall;
  state.counters["over_sort_cpu"] = all_plans.cpu / all_sorts.cpu;
  state.counters["sort_s"] = benchmark::Counter(all_sorts.wall, benchmark::Counter::kAvgIterations);
  state.counters["wire_bytes_per_item"] =
      static_cast<double>(world.wire_bytes) / static_cast<double>(world.items);
  state.counters["peak_over_wire"] =
      static_cast<double>(peak_bytes) / static_cast<double>(world.wire_bytes);
}

/// The usual lines, and the times by pattern and number of items.
class GrowthReporter final : public benchmark::ConsoleReporter {
 public:
  void ReportRuns(const std::vector<Run>& runs) override {
    ConsoleReporter::ReportRuns(runs);
    for (const Run& run : runs) {
      if (run.run_type == Run::RT_Iteration &&
          run.counters.contains("items")) {  // none after an error
        const std::string& name = run.run_name.function_name;
        samples_[name].emplace_back(std::log(static_cast<double>(run.counters.at("items"))),
                                    std::log(run.GetAdjustedRealTime()));
      }
    }
  }

  /// By least squares over all samples.
  void print_growth() const {
    for (const auto& [name, points] : samples_) {
      double x = 0, y = 0, xx = 0, xy = 0;
      for (const auto& [a, b] : points) {
        x += a;
        y += b;
        xx += a * a;
        xy += a * b;
      }
      const auto n = static_cast<double>(points.size());
      if (const double spread = n * xx - x * x; spread > 1e-9) {
        fmt::print("{}: time grows as items^{:.3f} over {} samples\n", name,
                   (n * xy - x * y) / spread, points.size());
      }
    }
  }

 private:
  std::map<std::string, std::vector<std::pair<double, double>>> samples_;
};

void register_benchmarks() {
  constexpr std::array<std::pair<const char*, Pattern>, 3> patterns = {
      {{"global_plan/rows", Pattern::rows},
       {"global_plan/grid", Pattern::grid},
       {"global_plan/copies", Pattern::copies}}};
  for (const auto& [name, pattern] : patterns) {
    const auto run = [pattern = pattern](benchmark::State& state) { global_plan(state, pattern); };
    auto* registered = benchmark::RegisterBenchmark(name, run);
    for (const std::int64_t items : {100'000, 1'000'000, 4'500'000, 10'000'000}) {
      registered->Arg(items);
    }
    registered->Iterations(1)->UseManualTime()->Unit(benchmark::kMillisecond);
  }
}

}  // namespace
}  // namespace shardmark::bench

int main(int argc, char** argv) {
  shardmark::bench::keep_freed_memory();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) {
    return 2;
  }
  shardmark::bench::register_benchmarks();
  shardmark::bench::GrowthReporter reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
  reporter.print_growth();
  return 0;
}
