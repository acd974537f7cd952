// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "bench/config/config.hpp"
#include "bench/config/resolve.hpp"
#include "bench/harness/measure/family_traits.hpp"
#include "bench/harness/measure/suite_environment.hpp"
#include "shardmark/core/result.hpp"

namespace shardmark::bench {

inline constexpr FamilyTraits reshard_family = {
    .name = "reshard",
    .moves_bytes = true,
    .has_files = true,
    .uses_back_end = true,
    .comparison = Comparison::with_same_layout,
    .keys = {"planner", "storage", "load"},
};

/// A checkpoint that was saved under one strategy and world size, loaded under another, into
/// poisoned memory, every value checked after. Ranks of the launch beyond either world stand by.
/// What was saved is shared by all cases of the matrix.
CaseMaker reshard_cases(SuiteEnvironment& environment);

/// Local, the same on all ranks. Errors: invalid_argument for load.from.
Status check_reshard(const SweepCase& point, SuiteEnvironment& environment);

/// Local. Equal for the points of a matrix that load the same checkpoint.
std::string saving_side(const Config& config);

}  // namespace shardmark::bench
