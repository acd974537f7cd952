// SPDX-License-Identifier: Apache-2.0
#include "bench/suite/space_check.hpp"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>
#include <string>

#include "bench/suite/families.hpp"
#include "bench/text/human_units.hpp"

namespace shardmark::bench {
namespace {

struct Need {
  std::int64_t pinned = 0;   // checkpoints of load cases stay for the whole run
  std::int64_t largest = 0;  // one save
  std::int64_t keep = 0;
};

}  // namespace

Status check_space(std::span<const SweepCase> points, int num_ranks, WorkloadPool& workloads) {
  std::map<std::string, Need> needs;
  std::set<std::string> pinned;
  for (const SweepCase& point : points) {
    const Config& config = point.config;
    const auto keeps = [&](const FamilyTraits& family) { return keeps_files(family, config); };
    if (!runs_any(config.run, keeps)) {
      continue;
    }
    SHARDMARK_ASSIGN_OR_RETURN(const Workload* workload,
                               workloads.get(config, Memory::none, Played::first));
    const std::int64_t num_bytes = config.run.world == 0 ? workload->global_num_bytes()
                                                         : workload->local_num_bytes() * num_ranks;
    Need& need = needs[config.storage.directory];
    for (const std::string& name : config.run.benchmarks) {
      const Family& family = *find_family(name);
      const bool is_new = family.pinned_for == nullptr ||
                          pinned.insert(name + " " + family.pinned_for(config)).second;
      need.pinned += keeps(family.traits) && is_new ? family.pinned_copies * num_bytes : 0;
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
      return Error{
          ErrorCode::no_space,
          fmt::format(
              "{} has {} free, this run needs {} at its fullest; set storage.directory, model.scale or run.keep",
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
