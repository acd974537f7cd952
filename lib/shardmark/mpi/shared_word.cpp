// SPDX-License-Identifier: Apache-2.0
#include "shardmark/mpi/shared_word.hpp"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <climits>

#include "shardmark/core/progress.hpp"

namespace shardmark {

void SharedWord::store(std::uint32_t value) noexcept {
  value_.store(value, std::memory_order_seq_cst);
  wake();
}

void SharedWord::wake() noexcept {
  if (sleepers_.load(std::memory_order_seq_cst) > 0) {
    // Not FUTEX_PRIVATE_FLAG: the waiters may be other processes.
    ::syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&value_), FUTEX_WAKE, INT_MAX, nullptr,
              nullptr, 0);
  }
}

void SharedWord::wait_change(std::uint32_t seen, std::chrono::milliseconds longest) noexcept {
  const ScopedWait wait;
  sleepers_.fetch_add(1, std::memory_order_seq_cst);
  struct timespec timeout {};
  timeout.tv_sec = longest.count() / 1000;
  timeout.tv_nsec = longest.count() % 1000 * 1000000;
  // The kernel compares again, so that no change between the two is missed. Whatever it returns,
  // the caller looks at the value.
  ::syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&value_), FUTEX_WAIT, seen, &timeout,
            nullptr, 0);
  sleepers_.fetch_sub(1, std::memory_order_seq_cst);
}

}  // namespace shardmark
