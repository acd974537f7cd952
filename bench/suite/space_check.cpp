// SPDX-License-Identifier: Apache-2.0
#include "bench/suite/space_check.hpp"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>
#include <string>

#include "bench/text/human_units.hpp"

namespace shardmark::bench {
namespace {

struct Need {
  std::int64_t pinned = 0;   // checkpoints of load cases stay for the whole run
  std::int64_t largest = 0;  // one save
  std::int64_t keep = 0;
};

bool runs(const Config& config, std::string_view family) {
  return std::ranges::find(config.run.benchmarks, family) != config.run.benchmarks.end();
}

std::string saving_side(const Config& config) {
  const std::string& saved = config.reshard.saved_strategy;
  return fmt::format("{} {} {} {} {}", config.model.name,
                     saved.empty() ? config.parallel.strategy : saved, config.reshard.save_ranks,
                     config.storage.layout, config.storage.io);
}

}  // namespace

Status check_space(std::span<const SweepCase> points, WorkloadPool& workloads) {
  std::map<std::string, Need> needs;
  std::set<std::string> reshards;
  for (const SweepCase& point : points) {
    const Config& config = point.config;
    const bool stores = config.storage.backend != "null" &&
                        (runs(config, "save") || runs(config, "load") || runs(config, "reshard"));
    if (!stores && !runs(config, "ceiling")) {
      continue;
    }
    SHARDMARK_ASSIGN_OR_RETURN(const Workload* workload, workloads.get(config, Memory::none));
    const std::int64_t num_bytes = workload->global_num_bytes();
    Need& need = needs[config.storage.directory];
    need.pinned += stores && runs(config, "load") ? num_bytes : 0;
    // What the load ceilings read: a file a rank, and one shared file.
    need.pinned += runs(config, "ceiling") ? 2 * num_bytes : 0;
    // The pairs of a matrix share the checkpoints of its saving side.
    if (stores && runs(config, "reshard") && reshards.insert(saving_side(config)).second) {
      need.pinned += num_bytes;
    }
    need.largest = std::max(need.largest, num_bytes);
    need.keep = config.run.keep;
  }
  for (const auto& [directory, need] : needs) {
    struct statvfs info {};
    if (::statvfs(directory.c_str(), &info) != 0) {
      continue;  // saving will say what is wrong with it
    }
    const auto wanted = static_cast<double>(need.pinned) +
                        static_cast<double>(need.largest) * static_cast<double>(need.keep + 1);
    const double free = static_cast<double>(info.f_bavail) * static_cast<double>(info.f_frsize);
    if (wanted > free) {
      return Error{ErrorCode::no_space,
                   fmt::format("{} has {} free, this run needs {} at its fullest; set "
                               "storage.directory, model.scale or run.keep",
                               directory, format_bytes(static_cast<std::int64_t>(free)),
                               format_bytes(static_cast<std::int64_t>(std::min(wanted, 9e18))))};
    }
  }
  return {};
}

void warn_of_file_system(const FileSystem& filesystem) {
  const char* why = filesystem.type == "tmpfs" || filesystem.type == "ramfs"
                        ? "is memory: its times say nothing of storage"
                    : filesystem.type == "overlay"
                        ? "is a container's overlay: its times are not those of the storage below"
                        : nullptr;
  if (why != nullptr) {
    fmt::print(stderr, "shardmark: warning: {} at {} {}\n", filesystem.type, filesystem.path, why);
  }
}

}  // namespace shardmark::bench
