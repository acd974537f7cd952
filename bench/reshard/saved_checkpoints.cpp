// SPDX-License-Identifier: Apache-2.0
#include "bench/reshard/saved_checkpoints.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "bench/config/error_origin.hpp"
#include "bench/config/lib_options.hpp"
#include "bench/config/resolve.hpp"
#include "bench/harness/measure/file_system_probe.hpp"
#include "shardmark/checkpoint/save.hpp"

namespace shardmark::bench {
namespace {

/// The configuration of the save of a pair.
Config saving(Config config) {
  if (!config.reshard.saved_strategy.empty() &&
      config.reshard.saved_strategy != config.parallel.strategy) {
    config.parallel = {};
    config.parallel.strategy = config.reshard.saved_strategy;
  }
  return config;
}

std::string key_of(const Config& config, int ranks) {
  Config shared = config;
  shared.load = {};
  shared.run = {};
  shared.reshard = {};
  return fmt::format("{} ranks\n{}", ranks, config_text(shared));
}

}  // namespace

FirstRanks::FirstRanks(const Communicator& all, int ranks) : ranks_(ranks) {
  if (all.rank() < ranks) {
    std::vector<std::int32_t> list(static_cast<std::size_t>(ranks));
    std::iota(list.begin(), list.end(), 0);
    comm_.emplace(all.of_ranks(list));
  }
}

void FirstRanks::close() {
  if (comm_) {
    comm_->close();
  }
}

Result<CheckpointSteps::Checkpoint> SavedCheckpoints::acquire(const Config& config, int ranks) {
  const Config save_config = saving(config);
  const std::string key = key_of(save_config, ranks);
  if (const auto found = saved_.find(key); found != saved_.end()) {
    ++found->second.users;
    return found->second.checkpoint;
  }
  SHARDMARK_ASSIGN_OR_RETURN(
      const auto checkpoint,
      environment_.checkpoints.next(save_config.storage.directory, false, environment_.comm));
  SHARDMARK_RETURN_IF_ERROR(environment_.comm.agree(save_one(save_config, ranks, checkpoint)));
  environment_.checkpoints.committed(checkpoint, true);
  saved_[key] = {checkpoint, 1};
  return checkpoint;
}

Status SavedCheckpoints::save_one(const Config& config, int ranks,
                                  const CheckpointSteps::Checkpoint& checkpoint) {
  auto own =
      environment_.comm.rank() < ranks ? workload(config, ranks) : Result<Workload*>(nullptr);
  SHARDMARK_RETURN_IF_ERROR(environment_.comm.agree(Status(own)));
  FirstRanks world(environment_.comm, ranks);
  Status saved;
  if (world.comm() != nullptr) {
    (*own)->fill(checkpoint.seed);
    SaveOptions options =
        save_options(config, checkpoint.directory, checkpoint.step, checkpoint.seed);
    options.save_id_prefix = checkpoint.save_id_prefix;
    options.published_dtypes = (*own)->published_dtypes();
    follow_traits(environment_.traits_of(config.storage.directory), options.storage);
    saved = Status(save(std::as_const(**own).state_dict(), options, *world.comm()));
  }
  world.close();
  return saved;
}

Status SavedCheckpoints::release(const CheckpointSteps::Checkpoint& checkpoint) {
  const auto found = std::ranges::find_if(
      saved_, [&](const auto& each) { return each.second.checkpoint.step == checkpoint.step; });
  if (found == saved_.end() || --found->second.users > 0) {
    return {};
  }
  saved_.erase(found);
  environment_.checkpoints.release(checkpoint);
  return environment_.checkpoints.remove_old(environment_.comm);
}

Result<Workload*> SavedCheckpoints::workload(const Config& config, int ranks) {
  const std::string wanted = key_of(config, ranks);
  if (!workload_ || held_ != wanted) {
    workload_.reset();  // first, so that there is room
    SHARDMARK_ASSIGN_OR_RETURN(Workload made, with_origin(Workload::make(workload_options(config),
                                                                         environment_.comm.rank(),
                                                                         ranks, Memory::allocate),
                                                          config));
    workload_.emplace(std::move(made));
    held_ = wanted;
  }
  return &*workload_;
}

}  // namespace shardmark::bench
