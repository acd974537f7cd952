// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/run/interruption.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <optional>
#include <thread>

#include "shardmark/storage/directory/unfinished.hpp"

namespace shardmark::bench {
namespace {

constexpr int limit_s = 100;

/// Exit code of a rank 0 that gets SIGTERM while another of its threads is in `stuck`, which never
/// returns; nullopt if it did not end.
template <typename Stuck>
std::optional<int> exit_code_after_sigterm(const Stuck& stuck) {
  const pid_t child = ::fork();
  if (child == 0) {
    watch_for_interruption(true);
    stuck();
    _exit(99);
  }
  int status = 0;
  for (int i = 0; i < limit_s * 100; ++i) {
    if (::waitpid(child, &status, WNOHANG) == child) {
      return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, &status, 0);
  return std::nullopt;
}

void interrupt_and_hang() {
  ::kill(::getpid(), SIGTERM);
  for (;;) {
    ::pause();
  }
}

TEST(Interruption, EndsWhatIsNotStuck) {
  EXPECT_EQ(exit_code_after_sigterm([] { interrupt_and_hang(); }), 1);
}

// As inside a write of results, or a rename, that storage does not answer.
TEST(Interruption, EndsWhatHoldsResultsForEver) {
  EXPECT_EQ(exit_code_after_sigterm([] {
              const auto held = hold_results();
              interrupt_and_hang();
            }),
            1);
}

TEST(Interruption, EndsWhatHoldsTheUnfinishedForEver) {
  EXPECT_EQ(exit_code_after_sigterm([] {
              const auto held = hold_unfinished();
              interrupt_and_hang();
            }),
            1);
}

}  // namespace
}  // namespace shardmark::bench
