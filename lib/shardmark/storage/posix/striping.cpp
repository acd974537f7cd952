// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/posix/striping.hpp"

#include <algorithm>

namespace shardmark {

StripeComponent Striping::main_component(std::int64_t num_bytes) const noexcept {
  StripeComponent main;
  std::int64_t most = -1;
  for (const StripeComponent& component : components) {
    const std::int64_t bytes =
        std::max<std::int64_t>(0, std::min(component.end, num_bytes) - component.begin);
    if (bytes > most) {
      most = bytes;
      main = component;
    }
  }
  return main;
}

}  // namespace shardmark
