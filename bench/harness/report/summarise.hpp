// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "bench/harness/report/case_summary.hpp"

namespace shardmark::bench {

/// Local, rank 0. One summary a case, in the order of `cases`, which must outlive them.
std::vector<CaseSummary> summarise(std::span<const CaseDescription> cases,
                                   std::span<const Sample> samples);

}  // namespace shardmark::bench
