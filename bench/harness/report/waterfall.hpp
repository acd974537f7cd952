// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bench/harness/report/case_summary.hpp"

namespace shardmark::bench {

/// One step down from memory to a checkpoint.
struct WaterfallLayer {
  std::string layer;  // "memcpy", ..., "bare-hdf5", "shardmark"
  const CaseSummary* summary = nullptr;
  std::optional<double> of_below;  // its rate over that of the layer before it
};

/// What becomes of the rate of memory on its way to a file, for one checkpoint and one direction.
struct Waterfall {
  std::string group;  // CaseDescription::ceiling_group
  Operation operation = Operation::none;
  /// Ceilings, of a posix layer the faster of buffered and O_DIRECT; then the cases that they
  /// judge, each over the last ceiling.
  std::vector<WaterfallLayer> layers;
};

/// Shares of a case's rate of its ceilings' rates: by layer ("posix-shared", the faster of its
/// two) and by kind ("posix-shared-direct").
using CeilingShare = std::map<std::string, double>;

/// Local. From medians; empty where no ceiling was measured. The summaries must outlive it.
std::vector<Waterfall> waterfalls(std::span<const CaseSummary> summaries);

/// Local. Empty if `summary` is no save or load, or has no ceiling in its group.
CeilingShare ceiling_shares(const CaseSummary& summary, std::span<const CaseSummary> summaries);

/// Local. For people, the slower kind of each posix layer too; empty of nothing.
std::string waterfall_text(std::span<const Waterfall> waterfalls,
                           std::span<const CaseSummary> summaries);

}  // namespace shardmark::bench
