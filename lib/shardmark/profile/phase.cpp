// SPDX-License-Identifier: Apache-2.0
#include "shardmark/profile/phase.hpp"

namespace shardmark {

std::string_view phase_name(Phase phase) noexcept {
  return phase_table[static_cast<std::size_t>(phase)].name;
}

}  // namespace shardmark
