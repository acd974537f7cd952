// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/protocol/state_dict.hpp"
#include "shardmark/workload/catalog.hpp"
#include "shardmark/workload/host_buffer.hpp"
#include "shardmark/workload/job.hpp"
#include "shardmark/workload/local_buffer.hpp"
#include "shardmark/workload/placement_rules.hpp"
#include "shardmark/workload/strategy.hpp"

namespace shardmark {

struct WorkloadOptions {
  ModelOptions model;
  ParallelOptions parallel;
  std::function<bool(std::string_view fqn)> filter;  // keeps what it returns true for; none: all
};

/// Whether a workload has elements. Without memory its views have null data: for planning, any rank
/// of any world.
enum class Memory : std::uint8_t { allocate, none };

/// One rank's training state: parameters, optimizer tensors and objects of a model under a
/// strategy, with their memory. Every rank's StateDict has every entry, in the same order; a tensor
/// of another pipeline stage has no boxes here.
class Workload {
 public:
  /// Local. With a job file its tensors, as its ranks hold them, instead of a model under a
  /// strategy. Errors: those of make_model(), Strategy::resolve() and PlacementRules, or of
  /// read_job(); invalid_argument for a rank outside the world, another world than the job's, or
  /// more bytes than this machine has.
  static Result<Workload> make(const WorkloadOptions& options, std::int64_t rank,
                               std::int64_t world_size, Memory memory);

  StateDict& state_dict() noexcept { return state_dict_; }
  const StateDict& state_dict() const noexcept { return state_dict_; }
  const Strategy& strategy() const noexcept { return strategy_; }
  std::int64_t rank() const noexcept { return rank_; }

  /// Local. Writes the law's values (value_law.hpp) into all elements and objects.
  void fill(std::uint64_t seed);

  /// Local. 0xA5 everywhere, so that a load which reads nothing cannot pass.
  void poison();

  /// Local. Entries of the names `left_out` (ascending) are not looked at. Errors: data_loss naming
  /// the first element that breaks the law.
  Status check(std::uint64_t seed, std::span<const std::string> left_out = {}) const;

  /// Local. Bytes that this rank holds, objects included.
  std::int64_t local_num_bytes() const noexcept { return local_num_bytes_; }

  /// Local. Bytes of a checkpoint: every tensor and object once.
  std::int64_t global_num_bytes() const noexcept { return global_num_bytes_; }

  /// By fqn, of tensors whose dtype only has the width of the one that was published: its name.
  const std::map<std::string, std::string>& published_dtypes() const noexcept {
    return published_dtypes_;
  }

  /// Tensors, and the largest one's name.
  struct Share {
    std::int64_t tensors = 0;
    std::int64_t num_bytes = 0;
    std::string example{};

    void add(const TensorSpec& tensor);

   private:
    std::int64_t largest_bytes_ = 0;
  };

  /// What tensor parallelism leaves whole on all of its ranks, optimizer states included: all of
  /// it, norms and routers too, and of that what has no name to cut it by.
  struct Uncut {
    Share all;
    Share unknown;
  };

  /// Local. nullopt for a strategy without tensor parallelism.
  const std::optional<Uncut>& uncut() const noexcept { return uncut_; }

  /// Local. What a reader of results should know of the model and how it was cut, a sentence each.
  std::vector<std::string> notes() const;

  /// Local. Re-targets a workload without memory; StateDict, names and entries stay.
  /// Errors: invalid_argument with memory, or for a rank outside the world.
  Status move_to_rank(std::int64_t rank);

 private:
  static Result<Workload> make_job(const WorkloadOptions& options, std::int64_t rank,
                                   std::int64_t world_size, Memory memory);
  Status add_job(const std::function<bool(std::string_view)>& filter);
  Status finish();

  explicit Workload(const Strategy& strategy) : strategy_(strategy) {}

  Status add_tensors(const Model& model, const std::function<bool(std::string_view)>& filter,
                     PlacementRules& rules);
  Status add_tensor(const TensorSpec& spec, const Distribution& distribution,
                    std::map<std::string, FlatBuffer*>& flat_buffers);
  Status add_object(std::string fqn, std::int64_t num_bytes);
  Status allocate();
  Status add_objects(const Model& model, const std::function<bool(std::string_view)>& filter);
  void count_uncut(const TensorSpec& spec, const PlacementRule* rule);
  void count_local_bytes() noexcept;

  Strategy strategy_;
  std::shared_ptr<const Job> job_;  // its buffers look into it
  std::int64_t rank_ = 0;
  Memory memory_ = Memory::none;
  std::vector<std::unique_ptr<LocalBuffer>> buffers_;  // the StateDict points into them
  std::vector<Dims> global_sizes_;  // of the StateDict's first entries, which are the tensors
  std::vector<std::vector<std::byte>> objects_;
  HostBuffer elements_;
  StateDict state_dict_;
  std::int64_t local_num_bytes_ = 0;
  std::int64_t object_num_bytes_ = 0;
  std::int64_t global_num_bytes_ = 0;
  std::map<std::string, std::string> published_dtypes_;
  std::optional<Uncut> uncut_;
  std::vector<std::string> model_notes_;
};

}  // namespace shardmark
