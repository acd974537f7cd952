// SPDX-License-Identifier: Apache-2.0
#include "bench/hooks/hooks_cases.hpp"

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "bench/harness/measure/case_naming.hpp"
#include "bench/harness/measure/collective_timer.hpp"

namespace shardmark::bench {
namespace {

enum class Hook { create_write_items, create_chunk_list, get_tensor_shard };

constexpr std::array<Phase, 1> hook_phases = {Phase::hooks};
constexpr double timed_s = 0.02;  // about what the passes of one repetition take together
constexpr double most_passes = 1000;

std::string_view hook_name(Hook hook) {
  switch (hook) {
    case Hook::create_write_items:
      return "create_write_items";
    case Hook::create_chunk_list:
      return "create_chunk_list";
    case Hook::get_tensor_shard:
      break;
  }
  return "get_tensor_shard";
}

/// What a rank's StateDict lists, for comparison of the hooks with each other.
struct TensorBoxes {
  const StateDictEntry* entry = nullptr;
  std::vector<ChunkStorageMetadata> boxes;
};

Error disagreement(std::string_view fqn, std::string_view what) {
  return {ErrorCode::internal, fmt::format("{}: {}", fqn, what)};
}

Status check_items(const TensorBoxes& tensor) {
  SHARDMARK_ASSIGN_OR_RETURN(const auto items,
                             tensor.entry->tensor->create_write_items(tensor.entry->fqn));
  if (items.size() != tensor.boxes.size()) {
    return disagreement(tensor.entry->fqn, fmt::format("{} write items for {} chunks", items.size(),
                                                       tensor.boxes.size()));
  }
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (items[i].tensor_data.chunk != tensor.boxes[i]) {
      return disagreement(tensor.entry->fqn,
                          fmt::format("write item {} and chunk {} name different boxes", i, i));
    }
  }
  return {};
}

Status check_shards(const TensorBoxes& tensor) {
  for (const ChunkStorageMetadata& box : tensor.boxes) {
    if (volume(box.sizes) == 0) {
      continue;  // nothing to hand out
    }
    SHARDMARK_ASSIGN_OR_RETURN(
        const ConstTensorView shard,
        tensor.entry->tensor->get_tensor_shard({tensor.entry->fqn, box.offsets, std::nullopt}));
    if (shard.sizes != box.sizes) {
      return disagreement(tensor.entry->fqn, "get_tensor_shard gives another box than listed");
    }
  }
  return {};
}

class HookCase final : public BenchmarkCase {
 public:
  HookCase(Hook hook, CaseDescription description, const SweepCase& point,
           SuiteEnvironment& environment)
      : BenchmarkCase(std::move(description)),
        hook_(hook),
        config_(point.config),
        environment_(environment) {}

  Status set_up() override {
    Status status = collect();
    const double start_s = steady_seconds();
    if (status) {
      status = one_pass();
    }
    const double slowest_s = environment_.comm.all_reduce(steady_seconds() - start_s, MPI_MAX);
    passes_ = static_cast<std::int64_t>(
        std::clamp(timed_s / std::max(slowest_s, 1e-9), 1.0, most_passes));
    return status;
  }

  Status prepare() override { return collect(); }

  std::int64_t passes() const override { return passes_; }

  Status operate() override {
    const double start_s = steady_seconds();
    for (std::int64_t pass = 0; pass < passes_; ++pass) {
      SHARDMARK_RETURN_IF_ERROR(one_pass());
    }
    own_s_ = steady_seconds() - start_s;
    return {};
  }

  Status check(Measurement& measurement) override {
    std::array<std::int64_t, 2> counts = {static_cast<std::int64_t>(tensors_.size()), 0};
    for (const TensorBoxes& tensor : tensors_) {
      counts[1] += static_cast<std::int64_t>(tensor.boxes.size());
    }
    environment_.comm.all_reduce(std::span<std::int64_t>(counts), MPI_SUM);
    measurement.phase_list = hook_phases;
    measurement.phases[Phase::hooks] = own_s_;
    measurement.metrics["passes"] = static_cast<double>(passes_);
    measurement.metrics["tensors"] = static_cast<double>(counts[0]);
    measurement.metrics["boxes"] = static_cast<double>(counts[1]);
    measurement.num_bytes = workload_->global_num_bytes();
    for (const TensorBoxes& tensor : tensors_) {
      SHARDMARK_RETURN_IF_ERROR(check_items(tensor));
      SHARDMARK_RETURN_IF_ERROR(check_shards(tensor));
    }
    measurement.verified = true;
    return {};
  }

 private:
  /// Local.
  Status collect() {
    SHARDMARK_ASSIGN_OR_RETURN(workload_, environment_.workloads.get(config_, Memory::none));
    tensors_.clear();
    const StateDict& state_dict = workload_->state_dict();
    for (const StateDictEntry& entry : state_dict.entries()) {
      if (entry.tensor != nullptr) {
        SHARDMARK_ASSIGN_OR_RETURN(auto boxes, entry.tensor->create_chunk_list());
        tensors_.push_back({&entry, std::move(boxes)});
      }
    }
    return {};
  }

  Status one_pass() {
    for (const TensorBoxes& tensor : tensors_) {
      switch (hook_) {
        case Hook::create_write_items:
          SHARDMARK_RETURN_IF_ERROR(
              kept(tensor.entry->tensor->create_write_items(tensor.entry->fqn)));
          break;
        case Hook::create_chunk_list:
          SHARDMARK_RETURN_IF_ERROR(kept(tensor.entry->tensor->create_chunk_list()));
          break;
        case Hook::get_tensor_shard:
          for (const ChunkStorageMetadata& box : tensor.boxes) {
            SHARDMARK_RETURN_IF_ERROR(kept(tensor.entry->tensor->get_tensor_shard(
                {tensor.entry->fqn, box.offsets, std::nullopt})));
          }
          break;
      }
    }
    return {};
  }

  /// Keeps the compiler from dropping a result that nobody reads.
  template <typename T>
  static Status kept(Result<T>&& result) {
    benchmark::DoNotOptimize(result);
    return Status(result);
  }

  Hook hook_;
  Config config_;
  SuiteEnvironment& environment_;
  Workload* workload_ = nullptr;
  std::vector<TensorBoxes> tensors_;
  std::int64_t passes_ = 1;
  double own_s_ = 0;
};

}  // namespace

CaseMaker hooks_cases(SuiteEnvironment& environment) {
  return [&environment](const SweepCase& point) {
    Cases cases;
    for (const Hook hook :
         {Hook::create_write_items, Hook::create_chunk_list, Hook::get_tensor_shard}) {
      CaseDescription description =
          describe_planning_case(hooks_family, hook_name(hook), point, environment);
      description.keys["hook"] = hook_name(hook);
      cases.push_back(std::make_unique<HookCase>(hook, std::move(description), point, environment));
    }
    return cases;
  };
}

}  // namespace shardmark::bench
