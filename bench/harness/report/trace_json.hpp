// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>

#include "bench/harness/measure/benchmark_case.hpp"
#include "bench/harness/measure/sample.hpp"
#include "bench/machine/run_context.hpp"

namespace shardmark::bench {

/// Local, rank 0. Every rank's phases of every sample in Chrome's trace format: a process is a
/// node, a thread a rank; times in microseconds of rank 0's clock since the first event.
std::string trace_json(const RunContext& context, std::span<const CaseDescription> cases,
                       std::span<const Sample> samples);

}  // namespace shardmark::bench
