// SPDX-License-Identifier: Apache-2.0
// What the kernel says of a process, read as it stands there.
#include "bench/harness/watch/process_state.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

namespace shardmark::bench {
namespace {

TEST(ProcessState, TheLetterStandsAfterTheNameWhateverThatHolds) {
  EXPECT_EQ(letter_of_stat("42 (shardmark) S 1 42 42 0"), 'S');
  EXPECT_EQ(letter_of_stat("42 (a) R (b)) T 1 42"), 'T');
  EXPECT_EQ(letter_of_stat(""), 'X');
  EXPECT_EQ(letter_of_stat("42 (cut"), 'X');
  EXPECT_EQ(letter_of_stat("42 (cut) "), 'X');
}

TEST(ProcessState, ASystemCallHasItsNameAndDescriptor) {
  const auto write = parse_system_call(
      fmt::format("{} 0x1b 0x7f00 0x1000 0x0 0x0 0x0 0x7ffd 0x7f11\n", SYS_pwrite64));
  ASSERT_TRUE(write);
  EXPECT_EQ(write->name, "pwrite64");
  EXPECT_EQ(write->file, 27);
  EXPECT_TRUE(write->is_for_files);
  const auto open = parse_system_call(fmt::format("{} 0xffffff9c 0x7f00\n", SYS_openat));
  ASSERT_TRUE(open);
  EXPECT_EQ(open->name, "openat");
  EXPECT_FALSE(open->file);
  EXPECT_TRUE(open->is_for_files);
  const auto futex = parse_system_call(fmt::format("{} 0x7f00 0x80\n", SYS_futex));
  ASSERT_TRUE(futex);
  EXPECT_FALSE(futex->is_for_files);
  const auto unknown = parse_system_call("99999 0x0\n");
  ASSERT_TRUE(unknown);
  EXPECT_EQ(unknown->name, "call 99999");
}

TEST(ProcessState, NoSystemCallIsNone) {
  for (const char* const line : {"", "running\n", "-1 0x7ffd 0x7f11\n"}) {
    EXPECT_FALSE(parse_system_call(line)) << line;
  }
}

TEST(ProcessState, FollowsAChildToItsEnd) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    char byte = 0;
    ::close(ends[1]);
    ::_exit(::read(ends[0], &byte, 1) == 0 ? 0 : 1);
  }
  EXPECT_FALSE(is_stopped_state(process_state(child).state));
  ::kill(child, SIGSTOP);
  ASSERT_EQ(::waitpid(child, nullptr, WUNTRACED), child);
  EXPECT_EQ(process_letter(child), 'T');
  EXPECT_TRUE(is_stopped_state(process_state(child).state));
  ::kill(child, SIGCONT);
  ::close(ends[1]);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_EQ(process_letter(child), 'X');
  EXPECT_TRUE(is_stopped_state(process_state(child).state));
  ::close(ends[0]);
}

}  // namespace
}  // namespace shardmark::bench
