// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/commands/predicted_cost_report.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "bench/text/human_units.hpp"

namespace shardmark::bench {
namespace {

using Json = nlohmann::ordered_json;

Json document_of(const Foretold& foretold) {
  return {{"value", foretold.value},
          {"low", foretold.low ? Json(*foretold.low) : Json(nullptr)},
          {"high", foretold.high ? Json(*foretold.high) : Json(nullptr)},
          {"law", foretold.law}};
}

std::string time_text(const Foretold& foretold) {
  const TimeUnit unit = unit_of(foretold.value);
  const std::string time = format_seconds(foretold.value, unit);
  return foretold.low ? fmt::format("{} [{}..{}]", time, three_digits(*foretold.low / unit.seconds),
                                    three_digits(*foretold.high / unit.seconds))
                      : time + ", no interval: no spread is given";
}

}  // namespace

Json cost_document(const PredictedCost& cost) {
  return {{"nodes", cost.nodes},
          {"save_s", document_of(cost.save_s)},
          {"load_s", document_of(cost.load_s)},
          {"stall_s", document_of(cost.stall_s)},
          {"memory_per_node_bytes", document_of(cost.memory_per_node_bytes)},
          {"files", cost.files},
          {"requests", cost.requests},
          {"metadata_calls", cost.metadata_calls},
          {"messages", cost.messages}};
}

std::string cost_text(const PredictedCost& cost) {
  std::string text = fmt::format("\n  on {} node{}, foretold with 95 % intervals\n",
                                 format_count(cost.nodes), cost.nodes == 1 ? "" : "s");
  for (const auto& [name, foretold] :
       {std::pair("save", &cost.save_s), std::pair("load", &cost.load_s),
        std::pair("stall", &cost.stall_s)}) {
    text += fmt::format("  {:<17} {}\n                    {}\n", name, time_text(*foretold),
                        foretold->law);
  }
  const Foretold& memory = cost.memory_per_node_bytes;
  text += fmt::format("  memory a node     {} to {}\n                    {}\n",
                      format_bytes(static_cast<std::int64_t>(memory.low.value_or(memory.value))),
                      format_bytes(static_cast<std::int64_t>(memory.value)), memory.law);
  text += fmt::format("  it takes          {} files, {} requests, {} metadata calls, {} messages\n",
                      format_count(cost.files), format_count(cost.requests),
                      format_count(cost.metadata_calls), format_count(cost.messages));
  return text;
}

}  // namespace shardmark::bench
