// SPDX-License-Identifier: Apache-2.0
// Whatever this machine's file system is: it is tried, and what holds on all of them is found.
#include "shardmark/storage/probe/local_trials.hpp"

#include <gtest/gtest.h>

#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark {
namespace {

using shardmark::testing::TemporaryDirectory;

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
