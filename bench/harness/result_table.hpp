// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>

#include "bench/cli/text_style.hpp"
#include "bench/harness/case_summary.hpp"
#include "bench/harness/run_context.hpp"

namespace shardmark::bench {

/// Widest line, whatever the terminal.
inline constexpr int max_table_width = 112;

/// Local. "1.30 s [1.20..1.60]": all three in the median's unit.
std::string spread_text(const TimeSpread& spread);

/// Local, rank 0. What people read at the end of a run: where it ran, one line a case, what failed,
/// where the files are. `directory`: of the result files, empty if there are none.
std::string result_table(const RunContext& context, std::span<const CaseSummary> summaries,
                         const std::string& directory, const TextStyle& style);

}  // namespace shardmark::bench
