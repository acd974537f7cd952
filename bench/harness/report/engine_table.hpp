// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>

#include "bench/harness/report/case_summary.hpp"
#include "bench/text/text_style.hpp"

namespace shardmark::bench {

/// Local. Other engines and ours side by side, a table for each model and strategy: saves, cold
/// loads, stall, memory, files, share of raw files, and how far an engine's own figures are from
/// our clock's. Empty where no other engine was to run.
std::string engine_tables(std::span<const CaseSummary> summaries, const TextStyle& style);

}  // namespace shardmark::bench
