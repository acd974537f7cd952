// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bench/harness/report/case_summary.hpp"
#include "bench/suite/families.hpp"

namespace shardmark::bench {

/// Summaries with their descriptions, rates in bytes per second.
class Summaries {
 public:
  CaseSummary& add(const std::string& family, const std::string& variant, double rate,
                   std::map<std::string, std::string> keys = {}, const std::string& group = "m/s") {
    CaseDescription& d = descriptions_.emplace_back();
    d.family = find_family(family)->traits;
    d.operation =
        family == "load" || variant.ends_with("-load") ? Operation::load : Operation::save;
    d.discards = variant == "null";
    d.variant = variant;
    d.strategy = "s";
    d.name = family + "/m/s/" + variant;
    d.keys = std::move(keys);
    d.ceiling_group = group;
    CaseSummary& summary = summaries_.emplace_back();
    summary.rate_bytes_per_s = rate;
    summary.time_s = TimeSpread{1, 1, 1};
    summary.repetitions = 3;
    return summary;
  }

  CaseSummary& add_ceiling(const std::string& layer, const std::string& kind, double rate,
                           const std::string& operation = "save") {
    return add("ceiling", kind + "-" + operation, rate,
               {{"ceiling", layer}, {"operation", operation}});
  }

  std::span<const CaseSummary> all() {
    for (std::size_t i = 0; i < summaries_.size(); ++i) {
      summaries_[i].description = &descriptions_[i];
    }
    return summaries_;
  }

 private:
  std::deque<CaseDescription> descriptions_;
  std::vector<CaseSummary> summaries_;
};

}  // namespace shardmark::bench
