// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/directory/owned_folder.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>

#include "shardmark/storage/directory/directory_test_fixture.hpp"
#include "shardmark/storage/directory/run_folder.hpp"
#include "shardmark/storage/directory/step_names.hpp"
#include "shardmark/storage/directory/unfinished.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark {
namespace {

using testing::TemporaryDirectory;

// Two of the three makers tried again, the probe did not.
TEST(OwnedFolder, IsHadWhileOthersSweep) {
  const TemporaryDirectory directory;
  std::atomic<bool> over = false;
  std::jthread sweeper([&] {
    while (!over) {
      EXPECT_TRUE(sweep_leftovers(directory.path()));
    }
  });
  for (int i = 0; i < 300; ++i) {
    const std::string path = directory.path() + "/" + probe_name();
    auto owner = make_owned_folder(path);
    EXPECT_TRUE(owner) << owner.error().message;
    EXPECT_TRUE(std::filesystem::exists(path + "/owner"));
    std::filesystem::remove_all(path);
    const auto held = hold_unfinished();
    forget_unfinished(path);
  }
  over = true;
}

TEST(OwnedFolder, LeavesNothingWhereItsOwnerCannotBeWritten) {
  const TemporaryDirectory directory;
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit none{0, 0};
    const auto run = ::setrlimit(RLIMIT_FSIZE, &none) == 0
                         ? RunFolder::make(directory.path(), "0123456789abcdef")
                         : Result<RunFolder>(Error{ErrorCode::internal, ""});
    ::_exit(!run && run.error().code == ErrorCode::no_space ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

}  // namespace
}  // namespace shardmark
