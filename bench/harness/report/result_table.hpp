// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>

#include "bench/harness/report/case_summary.hpp"
#include "bench/machine/run_context.hpp"
#include "bench/text/text_style.hpp"

namespace shardmark::bench {

/// Widest line, whatever the terminal.
inline constexpr int max_table_width = 112;

/// Local, rank 0. What people read at the end of a run: where it ran, one line a case, what failed,
/// where the files are. `directory`: of the result files, empty if there are none.
std::string result_table(const RunContext& context, std::span<const CaseSummary> summaries,
                         const std::string& directory, const TextStyle& style);

}  // namespace shardmark::bench
