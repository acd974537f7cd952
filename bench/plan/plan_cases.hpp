// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "bench/harness/measure/family_traits.hpp"
#include "bench/harness/measure/suite_environment.hpp"

namespace shardmark::bench {

inline constexpr FamilyTraits plan_family = {
    .name = "plan",
    .keys = {"planner"},
};

/// The save plan (hooks, gather, merge, scatter) over the real ranks, and the load plan of every
/// rank against the chunks that such a save stores. With run.world in a virtual world: see
/// make_virtual_plan_case(); the load plans are those of evenly spread virtual ranks. No tensor
/// memory, no files.
CaseMaker plan_cases(SuiteEnvironment& environment);

}  // namespace shardmark::bench
