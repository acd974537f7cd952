// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "bench/harness/measure/family_traits.hpp"
#include "bench/harness/measure/suite_environment.hpp"

namespace shardmark::bench {

inline constexpr FamilyTraits save_family = {
    .name = "save",
    .moves_bytes = true,
    .has_files = true,
    .uses_back_end = true,
    .is_played = true,
    .comparison = Comparison::with_ceilings,
    .keys = {"planner", "storage"},
};

/// One checkpoint a repetition, each with a step and values of its own, durable at the end of the
/// timed part and verified after it.
CaseMaker save_cases(SuiteEnvironment& environment);

}  // namespace shardmark::bench
