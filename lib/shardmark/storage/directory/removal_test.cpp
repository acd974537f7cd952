// SPDX-License-Identifier: Apache-2.0
// Folders are removed whole if they are ours, and a run's only as far as they are the run's.
#include "shardmark/storage/directory/removal.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "shardmark/storage/directory/directory_test_fixture.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark {
namespace {

using namespace directory_test;
using shardmark::testing::TemporaryDirectory;

TEST(Removal, TheOwnerGoesLastAndAfterItWasLetGo) {
  const TemporaryDirectory directory;
  const fs::path folder = fs::path(directory.path()) / "folder";
  write_text(folder / "owner");
  write_text(folder / "below" / "file");
  bool let_go = false;
  EXPECT_TRUE(remove_folder(folder.string(), [&] {
    let_go = true;
    EXPECT_FALSE(fs::exists(folder / "below"));
    EXPECT_TRUE(fs::exists(folder / "owner"));
  }));
  EXPECT_TRUE(let_go);
  EXPECT_FALSE(fs::exists(folder));
  EXPECT_TRUE(remove_folder(folder.string())) << "what is not there is gone";
}

/// Files that this process may not remove, as another user where it is root.
class Unremovable {
 public:
  explicit Unremovable(const fs::path& folder) : folder_(folder) {
    write_text(folder_ / "file");
    fs::permissions(folder_, fs::perms::owner_read | fs::perms::owner_exec |
                                 fs::perms::others_read | fs::perms::others_exec);
    if (::geteuid() == 0) {
      for (fs::path above = folder_.parent_path();
           above != fs::temp_directory_path() && above.has_relative_path();
           above = above.parent_path()) {
        EXPECT_EQ(::chown(above.c_str(), nobody, nobody), 0);
      }
      as_nobody_ = ::seteuid(nobody) == 0;
      EXPECT_TRUE(as_nobody_);
    }
  }
  ~Unremovable() {
    if (as_nobody_) {
      EXPECT_EQ(::seteuid(0), 0);
    }
    fs::permissions(folder_, fs::perms::owner_all);
  }

 private:
  static constexpr uid_t nobody = 65534;
  fs::path folder_;
  bool as_nobody_ = false;
};

TEST(Removal, TheOwnerStaysWithWhatCouldNotBeRemoved) {
  const TemporaryDirectory directory;
  const fs::path folder = fs::path(directory.path()) / "folder";
  write_text(folder / "owner");
  {
    const Unremovable below(folder / "below");
    EXPECT_FALSE(remove_folder(folder.string()));
  }
  EXPECT_TRUE(fs::exists(folder / "owner"));
  EXPECT_TRUE(remove_folder(folder.string()));
}

TEST(Removal, OfARunItsOwnStepsAndNothingElse) {
  const TemporaryDirectory directory;
  const std::string id = "0123456789abcdef";
  const fs::path run = fs::path(directory.path()) / run_name(id);
  make_step(run, 3, id + "0000000000000000");
  write_text(run / partial_name(4, id + "1111111111111111") / "rank-00000.h5");
  EXPECT_EQ(foreign_name_in_run(run.string(), id), "");
  make_step(run, 5, "fedcba98765432100000000000000000");
  EXPECT_EQ(foreign_name_in_run(run.string(), id), step_name(5));
  EXPECT_EQ(hide_run_folder(run.string()), run.string()) << "somebody's step must stay in sight";
  EXPECT_FALSE(remove_run_folder(run.string(), id));
  EXPECT_FALSE(fs::exists(run / step_name(3)));
  EXPECT_TRUE(fs::exists(run / step_name(5) / "COMMIT"));
  fs::remove_all(run / step_name(5));
  const std::string hidden = hide_run_folder(run.string());
  EXPECT_NE(hidden, run.string());
  EXPECT_FALSE(fs::exists(run));
  EXPECT_TRUE(remove_run_folder(hidden, id));
  EXPECT_TRUE(fs::is_empty(directory.path()));
}

TEST(Removal, UsedUpIsWhatHoldsOnlyNamesOfOpenFiles) {
  const TemporaryDirectory directory;
  EXPECT_TRUE(is_used_up(directory.path()));
  write_text(fs::path(directory.path()) / ".nfs000000000123");
  EXPECT_TRUE(is_used_up(directory.path()));
  write_text(fs::path(directory.path()) / "file");
  EXPECT_FALSE(is_used_up(directory.path()));
}

}  // namespace
}  // namespace shardmark
