// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "bench/config/config.hpp"
#include "bench/config/resolve.hpp"
#include "bench/harness/measure/suite_environment.hpp"
#include "shardmark/checkpoint/load.hpp"
#include "shardmark/core/result.hpp"

namespace shardmark::bench {

/// Collective. Finds what load.from names, which is left as it is, and whether this point's model
/// can be loaded from it; nothing where load.from is left out. Errors, agreed: those of load()
/// before any byte is read, naming load.from.
Status check_given_checkpoint(const SweepCase& point, SuiteEnvironment& environment);

/// Local. How a point's load reads it.
LoadOptions options_of(const Config& config, const GivenCheckpoint& given);

}  // namespace shardmark::bench
