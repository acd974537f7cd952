// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "bench/harness/measure/family_traits.hpp"
#include "bench/harness/measure/suite_environment.hpp"

namespace shardmark::bench {

inline constexpr FamilyTraits peers_family = {
    .name = "peers",
    .moves_bytes = true,
    .has_files = true,
    .comparison = Comparison::is_peer,
    .keys = {"planner", "storage.directory", "peers"},
};

/// Saves and loads of other engines, each rank's adapter moving the bytes that the rank stores. Our
/// clock runs around an operation that the adapter has made ready; its own figure stands beside it.
/// What is missing, fails, is late, writes less than it was told or does not sync is left out with
/// the reason.
CaseMaker peer_cases(SuiteEnvironment& environment);

}  // namespace shardmark::bench
