// SPDX-License-Identifier: Apache-2.0
#include "shardmark/workload/placement_rules.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fnmatch.h>

#include <algorithm>
#include <string_view>

namespace shardmark {
namespace {

/// A class of characters counts as one wildcard.
std::size_t num_literals(std::string_view pattern) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    if (pattern[at] == '[' && pattern.find(']', at + 2) != std::string_view::npos) {
      at = pattern.find(']', at + 2);
    } else if (pattern[at] != '*' && pattern[at] != '?') {
      ++count;
    }
  }
  return count;
}

/// optimizer.state.<parameter>.<state>
std::string parameter_of(const TensorSpec& tensor) {
  if (!tensor.optimizer_state || !tensor.fqn.starts_with(optimizer_prefix)) {
    return tensor.fqn;
  }
  const std::size_t begin = optimizer_prefix.size();
  return tensor.fqn.substr(begin, tensor.fqn.rfind('.') - begin);
}

bool matches(const PlacementRule& rule, const std::string& name) {
  return ::fnmatch(rule.pattern.c_str(), name.c_str(), 0) == 0;
}

}  // namespace

PlacementRules::PlacementRules(const std::vector<PlacementRule>& rules) {
  for (const PlacementRule& rule : rules) {
    rules_.push_back({&rule, num_literals(rule.pattern)});
  }
  std::ranges::stable_sort(rules_, std::ranges::greater(), &Ranked::literals);
}

Result<const PlacementRule*> PlacementRules::find(const TensorSpec& tensor) {
  if (rules_.empty() || tensor.world_pool || tensor.shape.empty()) {
    return nullptr;
  }
  const std::string name = parameter_of(tensor);
  const Ranked* first = nullptr;
  for (Ranked& ranked : rules_) {
    if (!matches(*ranked.rule, name)) {
      continue;
    }
    ranked.used = true;
    if (first == nullptr) {
      first = &ranked;
    } else if (ranked.literals == first->literals &&
               ranked.rule->placements != first->rule->placements) {
      return Error{ErrorCode::invalid_argument,
                   fmt::format("{} and \"{}\" both match '{}' and say as much of it, expected one "
                               "that says more",
                               to_string(*first->rule), ranked.rule->pattern, name)};
    }
  }
  return first == nullptr ? nullptr : first->rule;
}

Status PlacementRules::check_all_used(const Model& model) const {
  const auto unused = std::ranges::find(rules_, false, &Ranked::used);
  if (unused == rules_.end()) {
    return {};
  }
  const auto named = std::ranges::find_if(
      model.tensors, [](const TensorSpec& tensor) { return !tensor.shape.empty(); });
  return Error{
      ErrorCode::invalid_argument,
      fmt::format(
          "{}: matches no tensor of one dimension or more of {}, expected a glob of names{}",
          to_string(*unused->rule), model.name,
          named == model.tensors.end() ? std::string() : fmt::format(" such as '{}'", named->fqn))};
}

std::string to_string(const PlacementRule& rule) {
  std::vector<std::string> placements;
  for (const Placement& placement : rule.placements) {
    placements.push_back(to_string(placement));
  }
  return fmt::format("{}parallel.rules: \"{}\" = \"{}\"",
                     rule.origin.empty() ? std::string() : rule.origin + ": ", rule.pattern,
                     fmt::join(placements, ","));
}

}  // namespace shardmark
