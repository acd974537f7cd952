// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>

#include "bench/harness/report/case_summary.hpp"
#include "bench/text/text_style.hpp"

namespace shardmark::bench {

/// Local, rank 0. What saves and loads took beside their time (memory, requests, bytes below us,
/// files), how cold each read was, and where the bytes below us are not those that were moved.
/// Empty where nothing was saved or loaded.
std::string operation_table(std::span<const CaseSummary> summaries, const TextStyle& style);

}  // namespace shardmark::bench
