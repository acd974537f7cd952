// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bench/config/resolve.hpp"
#include "bench/harness/measure/benchmark_case.hpp"
#include "bench/harness/measure/suite_environment.hpp"

namespace shardmark::bench {

/// Local. The description of an I/O case: family/model/strategy/file-layout-io/nodes:N/ranks:R.
CaseDescription describe_io_case(const FamilyTraits& family, Operation operation,
                                 const SweepCase& point, const SuiteEnvironment& environment);

/// Local. Of a ceiling: family/model/strategy/variant/nodes:N/ranks:R.
CaseDescription describe_ceiling_case(const FamilyTraits& family, std::string_view variant,
                                      const SweepCase& point, const SuiteEnvironment& environment);

/// Local. Of a case without I/O: family/model/strategy/variant/world:W/ranks:R.
CaseDescription describe_planning_case(const FamilyTraits& family, std::string_view variant,
                                       const SweepCase& point, const SuiteEnvironment& environment);

}  // namespace shardmark::bench
