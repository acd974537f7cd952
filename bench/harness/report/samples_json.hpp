// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bench/harness/measure/benchmark_case.hpp"
#include "bench/harness/measure/sample.hpp"
#include "bench/harness/report/case_summary.hpp"
#include "bench/machine/run_context.hpp"

namespace shardmark::bench {

/// Version of samples.json, of results/schema.json.
inline constexpr int samples_schema_version = 1;

/// Local, rank 0. The document of results/schema.json; `cases` by Sample::case_index.
std::string samples_json(const RunContext& context, std::span<const CaseDescription> cases,
                         std::span<const Sample> samples);

/// Local, rank 0. What `run --json` prints: the medians, and where the files are.
std::string summary_json(const RunContext& context, std::span<const CaseSummary> summaries,
                         const std::string& directory, const std::optional<Error>& error);

}  // namespace shardmark::bench
