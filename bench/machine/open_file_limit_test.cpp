// SPDX-License-Identifier: Apache-2.0
#include "bench/machine/open_file_limit.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace shardmark::bench {
namespace {

TEST(OpenFileLimit, IsRaisedToWhatMayBe) {
  const pid_t child = ::fork();
  if (child == 0) {
    rlimit limit{};
    static_cast<void>(::getrlimit(RLIMIT_NOFILE, &limit));
    limit.rlim_cur = 64;
    static_cast<void>(::setrlimit(RLIMIT_NOFILE, &limit));
    raise_open_file_limit();
    rlimit now{};
    ::_exit(::getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_cur == limit.rlim_max ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace shardmark::bench
