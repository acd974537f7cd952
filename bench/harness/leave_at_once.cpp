// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/leave_at_once.hpp"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <thread>

namespace shardmark::bench {

void leave_at_once(bool is_root) {
  std::fflush(nullptr);
  std::this_thread::sleep_for(std::chrono::milliseconds(is_root ? 1000 : 300));
  _exit(1);
}

}  // namespace shardmark::bench
