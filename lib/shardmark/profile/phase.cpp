// SPDX-License-Identifier: Apache-2.0
#include "shardmark/profile/phase.hpp"

namespace shardmark {

std::string_view phase_name(Phase phase) noexcept {
  constexpr std::array<std::string_view, num_phases> names = {
      "hooks",    "local_plan", "gather", "global_plan", "scatter", "create",
      "stage",    "exchange",   "write",  "flush",       "commit",  "open",
      "metadata", "load_plan",  "read",   "verify",      "wait"};
  return names[static_cast<std::size_t>(phase)];
}

}  // namespace shardmark
