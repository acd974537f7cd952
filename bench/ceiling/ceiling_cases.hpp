// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "bench/harness/measure/family_traits.hpp"
#include "bench/harness/measure/suite_environment.hpp"

namespace shardmark::bench {

inline constexpr FamilyTraits ceiling_family = {
    .name = "ceiling",
    .moves_bytes = true,
    .has_files = true,
    .comparison = Comparison::is_ceiling,
    .keys = ceiling_keys,
};

/// What memory, files, MPI-IO and HDF5 give for the bytes of a point's checkpoint, each rank moving
/// as many as it writes or reads there. Every way of doing it is tried in the set-up; the
/// repetitions measure the fastest, with every byte compared after.
CaseMaker ceiling_cases(SuiteEnvironment& environment);

}  // namespace shardmark::bench
