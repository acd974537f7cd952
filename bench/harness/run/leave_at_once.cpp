// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/run/leave_at_once.hpp"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <thread>

#include "bench/harness/run/interruption.hpp"

namespace shardmark::bench {

void leave_at_once(bool is_root) {
  std::fflush(nullptr);
  after_interruption_leave_with(1);
  std::this_thread::sleep_for(std::chrono::milliseconds(is_root ? 1000 : 300));
  _exit(1);
}

}  // namespace shardmark::bench
