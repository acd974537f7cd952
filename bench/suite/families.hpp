// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "bench/config/config.hpp"
#include "bench/config/resolve.hpp"
#include "bench/harness/measure/family_traits.hpp"
#include "bench/harness/measure/suite_environment.hpp"
#include "shardmark/core/result.hpp"

namespace shardmark::bench {

/// A row of the one table of families.
struct Family {
  FamilyTraits traits;
  CaseMaker (*make)(SuiteEnvironment&) = nullptr;
  /// Collective, before anything runs, of a point that wants the family: what it cannot do there.
  Status (*check)(const SweepCase&, SuiteEnvironment&) = nullptr;
  std::int64_t pinned_copies = 0;  // of the checkpoint, on disk for the whole run
  std::string (*pinned_for)(const Config&) = nullptr;  // points with the same text share them
};

/// Local. All families, in the order of the result table.
std::span<const Family> families();

/// Local. nullptr if there is none of this name.
const Family* find_family(std::string_view name);

/// Local. Whether run.benchmarks names a family for which `holds`.
bool runs_any(const RunConfig& run, const std::function<bool(const FamilyTraits&)>& holds);

/// Local. Whether `family` keeps files under this configuration.
bool keeps_files(const FamilyTraits& family, const Config& config);

}  // namespace shardmark::bench
