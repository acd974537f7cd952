// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "shardmark/plan/save/save_planner.hpp"
#include "shardmark/profile/phase.hpp"

namespace shardmark {

/// Local. The phase in which a planner's step counts. Planners know no clock; this is where the two
/// meet.
constexpr Phase phase_of(PlanStep step) noexcept {
  switch (step) {
    case PlanStep::hooks:
      return Phase::hooks;
    case PlanStep::local_plan:
      return Phase::local_plan;
    case PlanStep::gather:
      return Phase::gather;
    case PlanStep::global_plan:
      return Phase::global_plan;
    case PlanStep::scatter:
      return Phase::scatter;
    case PlanStep::wait:
      break;
  }
  return Phase::wait;
}

}  // namespace shardmark
