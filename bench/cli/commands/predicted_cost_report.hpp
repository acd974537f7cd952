// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "bench/cli/commands/predicted_cost.hpp"

namespace shardmark::bench {

/// Local. The member "cost" of `plan --json`.
nlohmann::ordered_json cost_document(const PredictedCost& cost);

/// Local. For people.
std::string cost_text(const PredictedCost& cost);

}  // namespace shardmark::bench
