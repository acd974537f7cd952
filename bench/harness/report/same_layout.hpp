// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>

#include "bench/harness/report/case_summary.hpp"

namespace shardmark::bench {

/// Local. Fills in same_layout_ratio of the family "reshard": each case's times over those of the
/// case that loads the same bytes where they were saved in the layout that is loaded, round by
/// round.
void compare_with_same_layout(std::span<CaseSummary> summaries, std::span<const Sample> samples);

/// Local. What the matrix says in two lines: the worst pair and the largest amplification. Empty
/// without pairs.
std::string same_layout_text(std::span<const CaseSummary> summaries);

}  // namespace shardmark::bench
