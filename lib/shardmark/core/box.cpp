// SPDX-License-Identifier: Apache-2.0
#include "shardmark/core/box.hpp"

namespace shardmark {

std::string to_string(const Box& box) {
  return to_string(box.offsets) + "+" + to_string(box.sizes);
}

}  // namespace shardmark
