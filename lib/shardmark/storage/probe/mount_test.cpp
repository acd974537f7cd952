// SPDX-License-Identifier: Apache-2.0
// Which mount holds a path, of texts in the kernel's form; what types of file systems promise.
#include "shardmark/storage/probe/mount.hpp"

#include <gtest/gtest.h>

namespace shardmark {
namespace {

TEST(Mounts, TheLongestThatHoldsThePathTheLastOfEqualOnes) {
  const std::string text =
      "22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n"
      "30 22 0:40 / /scratch rw,nosuid shared:7 - tmpfs tmpfs rw\n"
      "31 22 0:41 / /scratch rw,relatime shared:9 master:1 - nfs4 server:/export rw,vers=4.2\n"
      "32 22 0:42 / /scratch/a\\040b rw - fuse.odd odd rw\n"
      "broken line\n";
  const Mount nfs = find_mount(text, "/scratch/ck");
  EXPECT_EQ(nfs, (Mount{"/scratch", "nfs4", "server:/export", "rw,relatime;rw,vers=4.2"}));
  EXPECT_EQ(find_mount(text, "/scratch/a b/ck").type, "fuse.odd");
  EXPECT_EQ(find_mount(text, "/scratchy").type, "ext4");
  EXPECT_EQ(find_mount("", "/x"), Mount{});
}

TEST(Mounts, TypesByWhatTheyPromise) {
  for (const char* type : {"ext4", "xfs", "tmpfs"}) {
    EXPECT_TRUE(is_coherent_type(type)) << type;
    EXPECT_FALSE(hides_pages(type)) << type;
    EXPECT_FALSE(remembers_names(type)) << type;
  }
  for (const char* type : {"nfs", "nfs4", "fuse.sshfs"}) {
    EXPECT_FALSE(is_coherent_type(type)) << type;
    EXPECT_TRUE(remembers_names(type)) << type;
  }
  EXPECT_TRUE(hides_pages("fuse.sshfs"));
  EXPECT_FALSE(hides_pages("nfs4"));
}

}  // namespace
}  // namespace shardmark
