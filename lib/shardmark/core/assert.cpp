// SPDX-License-Identifier: Apache-2.0
#include "shardmark/core/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace shardmark {

void assertion_failed(const char* condition, const char* message, const char* file,
                      int line) noexcept {
  std::fprintf(stderr, "shardmark: %s:%d: assertion failed: %s (%s)\n", file, line, message,
               condition);
  std::abort();
}

}  // namespace shardmark
