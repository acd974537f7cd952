// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "bench/harness/measure/family_traits.hpp"
#include "bench/harness/measure/suite_environment.hpp"

namespace shardmark::bench {

inline constexpr FamilyTraits load_family = {
    .name = "load",
    .moves_bytes = true,
    .has_files = true,
    .uses_back_end = true,
    .is_played = true,
    .reads_given = true,
    .comparison = Comparison::with_ceilings,
    .keys = {"planner", "storage", "load"},
};

/// Reads one checkpoint, made in the set-up or given by load.from, into poisoned memory and checks
/// every value after.
/// Each sample says how much of what it read was in the nodes' page caches.
CaseMaker load_cases(SuiteEnvironment& environment);

}  // namespace shardmark::bench
