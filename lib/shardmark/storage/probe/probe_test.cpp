// SPDX-License-Identifier: Apache-2.0
// What is found of a file system: that it is parsed, kept and said as it was found.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>

#include "shardmark/storage/probe/certificate.hpp"
#include "shardmark/storage/probe/certificate_store.hpp"
#include "shardmark/storage/probe/local_trials.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark {
namespace {

using shardmark::testing::TemporaryDirectory;
using ::testing::HasSubstr;

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

FileSystemCertificate sample() {
  FileSystemCertificate certificate;
  certificate.mount = {"/a mount", "nfs4", "server:/ex port", "rw;vers=4.2"};
  certificate.hosts = {"n0", "n1"};
  certificate.kernel = "6.1";
  certificate.program = "0.1 abc";
  certificate.time = std::time(nullptr);
  certificate.traits.coherent = Known::no;
  certificate.traits.locks = LockReach::everywhere;
  certificate.traits.hole_grain = 65536;
  certificate.reasons["coherent"] = "of 64 pages, 3 lost bytes";
  certificate.call_s["mkdir"] = 0.00025;
  certificate.free_bytes = 123456789;
  return certificate;
}

TEST(Certificates, AreReadAsTheyWereWritten) {
  const FileSystemCertificate certificate = sample();
  const auto read = parse_certificate(to_text(certificate));
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, certificate);
  EXPECT_FALSE(parse_certificate("something else\n"));
}

TEST(Certificates, AreKeptForADayForTheSamePlaceNodesAndProgram) {
  const TemporaryDirectory cache;
  ASSERT_EQ(::setenv("XDG_CACHE_HOME", cache.path().c_str(), 1), 0);
  FileSystemCertificate certificate = sample();
  EXPECT_FALSE(find_certificate(certificate));
  keep_certificate(certificate);
  FileSystemCertificate wanted = certificate;
  wanted.traits = {};
  wanted.reasons.clear();
  ASSERT_TRUE(find_certificate(wanted));
  EXPECT_EQ(*find_certificate(wanted), certificate);
  for (const auto& change : {+[](FileSystemCertificate& c) { c.mount.options = "ro"; },
                             +[](FileSystemCertificate& c) { c.mount.source = "other:/x"; },
                             +[](FileSystemCertificate& c) { c.kernel = "6.2"; },
                             +[](FileSystemCertificate& c) { c.program = "0.2 abc"; },
                             +[](FileSystemCertificate& c) {
                               c.hosts = {"n0", "n2"};
                             }}) {
    FileSystemCertificate other = wanted;
    change(other);
    EXPECT_FALSE(find_certificate(other));
  }
  certificate.time -= 90000;
  keep_certificate(certificate);
  EXPECT_FALSE(find_certificate(wanted));
  ASSERT_EQ(::setenv("XDG_CACHE_HOME", "/dev/null", 1), 0);
  keep_certificate(certificate);
  EXPECT_FALSE(find_certificate(wanted));
  ::unsetenv("XDG_CACHE_HOME");
}

TEST(Traits, AreAssumedByNameAndSaidWhenWeaker) {
  FileSystemTraits traits;
  EXPECT_TRUE(weaknesses(traits).empty());
  EXPECT_TRUE(assume(traits, {{"coherent", "no"}, {"locks", "node"}, {"silent_limit_s", "5"}}));
  EXPECT_EQ(traits.coherent, Known::no);
  EXPECT_EQ(traits.locks, LockReach::node);
  EXPECT_EQ(traits.silent_limit_s, 5);
  EXPECT_EQ(weaknesses(traits).size(), 2U);
  const Status unknown = assume(traits, "coherence", "no");
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message, HasSubstr("did you mean 'coherent'"));
  EXPECT_THAT(assume(traits, "coherent", "perhaps").error().message, HasSubstr("yes, no"));
  EXPECT_THAT(assume(traits, "locks", "yes").error().message, HasSubstr("everywhere"));
}

/// Whatever this machine's file system is: it is tried, and what holds on all of them is found.
TEST(LocalTrials, FindWhatThisFileSystemDoes) {
  const TemporaryDirectory directory;
  FileSystemCertificate certificate;
  certificate.mount = mount_of(directory.path());
  try_local(directory.path(), certificate);
  const FileSystemTraits& traits = certificate.traits;
  for (const auto& [name, value] : trait_values(traits)) {
    if (name != "coherent" && name != "prompt_names" && name != "zeros_kept") {
      EXPECT_NE(value, "not tried") << name;
    }
  }
  EXPECT_EQ(traits.file_numbers, Known::yes);
  EXPECT_GT(certificate.call_s.count("mkdir"), 0U);
  EXPECT_EQ(certificate.reasons.count("o_direct"), 1U);
}

}  // namespace
}  // namespace shardmark
