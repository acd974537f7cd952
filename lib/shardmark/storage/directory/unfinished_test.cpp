// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/directory/unfinished.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>

#include "shardmark/storage/directory/committed_steps.hpp"
#include "shardmark/storage/directory/run_folder.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark {
namespace {

using testing::TemporaryDirectory;

// A signal comes while the program's own thread begins its next save.
TEST(Unfinished, AFolderOfARunIsNotMadeAgainOnceItIsOutOfSight) {
  const TemporaryDirectory directory;
  const pid_t child = ::fork();
  if (child == 0) {
    const auto run = RunFolder::make(directory.path(), "0123456789abcdef");
    if (!run) {
      ::_exit(2);
    }
    hide_unfinished();
    std::thread([&run] { static_cast<void>(make_checkpoint_root(run->path())); }).detach();
    remove_unfinished();
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

}  // namespace
}  // namespace shardmark
