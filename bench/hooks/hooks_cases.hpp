// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "bench/harness/measure/family_traits.hpp"
#include "bench/harness/measure/suite_environment.hpp"

namespace shardmark::bench {

inline constexpr FamilyTraits hooks_family = {
    .name = "hooks",
};

/// One case a hook, called for every tensor of the rank's StateDict. A pass is too short to time
/// alone, so several are timed together; how many, the slowest rank's speed decides.
CaseMaker hooks_cases(SuiteEnvironment& environment);

}  // namespace shardmark::bench
