// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/protocol/placement.hpp"
#include "shardmark/workload/model.hpp"

namespace shardmark {

/// Places tensors by name instead of as the strategy would.
struct PlacementRule {
  std::string pattern;                // a glob of parameters' names; '*' matches dots too
  std::vector<Placement> placements;  // one a mesh dimension, or that of the last one alone
  std::string origin = {};            // where it was written, for messages
};

/// Which rule each tensor follows. Of several that match, the one that says most of the name: with
/// most characters that are no wildcard.
class PlacementRules {
 public:
  explicit PlacementRules(const std::vector<PlacementRule>& rules);

  /// Local. The rule of a tensor or, for an optimizer tensor, of its parameter; nullptr if none
  /// matches. 0-d tensors and pools follow none. Counts as a use of every rule that matches.
  /// Errors: invalid_argument where two rules say as much of a name and place it differently.
  Result<const PlacementRule*> find(const TensorSpec& tensor);

  /// Local. After all tensors. Errors: invalid_argument naming a rule that matched none.
  Status check_all_used(const Model& model) const;

 private:
  struct Ranked {
    const PlacementRule* rule;
    std::size_t literals;
    bool used = false;
  };
  std::vector<Ranked> rules_;  // by literals, most first
};

/// Local. For messages: "suite.toml:7: parallel.rules: \"*.weight\" = \"S(0)\"".
std::string to_string(const PlacementRule& rule);

}  // namespace shardmark
