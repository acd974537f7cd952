// SPDX-License-Identifier: Apache-2.0
// Who wrote something, and whether they live.
#include "shardmark/storage/directory/owner_record.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

namespace shardmark {
namespace {

TEST(OwnerRecord, IsReadAsItWasWritten) {
  OwnerRecord record = own_record();
  EXPECT_EQ(record.pid, ::getpid());
  record.job = "4711.server";
  const OwnerRecord read = parse_owner_record(to_text(record) + "later a line\nwithout\n\n");
  EXPECT_EQ(read.host, record.host);
  EXPECT_EQ(read.pid, record.pid);
  EXPECT_EQ(read.job, "4711.server");
  EXPECT_EQ(read.boot, record.boot);
  EXPECT_EQ(read.pid_space, record.pid_space);
  EXPECT_EQ(read.started, record.started);
  EXPECT_EQ(parse_owner_record("pid 12x\nstarted\n").pid, 0) << "half a number is none";
}

TEST(OwnerRecord, TheLivingTheDeadAndThoseNobodyHereCanKnow) {
  const OwnerRecord own = own_record();
  if (own.boot.empty() || own.pid_space.empty()) {
    GTEST_SKIP() << "this kernel tells neither its boot nor process namespaces";
  }
  EXPECT_EQ(life_of(own), Life::alive);
  OwnerRecord other = own;
  other.started = own.started + 1;
  EXPECT_EQ(life_of(other), Life::dead) << "another process has its number now";
  other = own;
  other.boot = "00000000-0000-0000-0000-000000000000";
  EXPECT_EQ(life_of(other), Life::elsewhere);
  other = own;
  other.pid_space = "pid:[1]";
  EXPECT_EQ(life_of(other), Life::same_kernel);
  other = {};
  EXPECT_EQ(life_of(other), Life::elsewhere);

  const pid_t child = ::fork();
  if (child == 0) {
    ::_exit(0);
  }
  other = own;
  other.pid = child;
  other.started = -1;
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_EQ(life_of(other), Life::dead);
}

}  // namespace
}  // namespace shardmark
