// SPDX-License-Identifier: Apache-2.0
#include "bench/suite/families.hpp"

#include <algorithm>
#include <array>

#include "bench/ceiling/ceiling_cases.hpp"
#include "bench/config/lib_options.hpp"
#include "bench/hooks/hooks_cases.hpp"
#include "bench/load/given_checkpoint.hpp"
#include "bench/load/load_case.hpp"
#include "bench/peers/peer_cases.hpp"
#include "bench/plan/plan_cases.hpp"
#include "bench/reshard/reshard_case.hpp"
#include "bench/save/save_case.hpp"

namespace shardmark::bench {
namespace {

constexpr std::array table = {
    Family{.traits = hooks_family, .make = hooks_cases},
    Family{.traits = plan_family, .make = plan_cases},
    Family{.traits = save_family, .make = save_cases},
    Family{.traits = load_family,
           .make = load_cases,
           .check = check_given_checkpoint,
           .pinned_copies = 1},
    // The pairs of a matrix share the checkpoints of its saving side.
    Family{.traits = reshard_family,
           .make = reshard_cases,
           .check = check_reshard,
           .pinned_copies = 1,
           .pinned_for = saving_side},
    // What the load ceilings read: a file a rank, and one shared file.
    Family{.traits = ceiling_family, .make = ceiling_cases, .pinned_copies = 2},
    // What the loads of each engine read; most are not everywhere.
    Family{.traits = peers_family, .make = peer_cases, .pinned_copies = 5},
};

}  // namespace

std::span<const Family> families() {
  return table;
}

const Family* find_family(std::string_view name) {
  const auto* const found =
      std::ranges::find(table, name, [](const Family& family) { return family.traits.name; });
  return found == table.end() ? nullptr : found;
}

bool runs_any(const RunConfig& run, const std::function<bool(const FamilyTraits&)>& holds) {
  return std::ranges::any_of(run.benchmarks, [&](const std::string& name) {
    const Family* const family = find_family(name);
    return family != nullptr && holds(family->traits);
  });
}

bool keeps_files(const FamilyTraits& family, const Config& config) {
  return family.has_files && !(family.reads_given && !config.load.from.empty()) &&
         (!family.uses_back_end || !backend_of(config.storage).discards);
}

}  // namespace shardmark::bench
