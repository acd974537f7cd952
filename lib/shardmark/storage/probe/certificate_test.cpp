// SPDX-License-Identifier: Apache-2.0
// What is found of a file system is read as it was written, and said where it is weak.
#include "shardmark/storage/probe/certificate.hpp"

#include <gtest/gtest.h>

#include <string>

#include "shardmark/storage/probe/certificate_test_fixture.hpp"

namespace shardmark {
namespace {

using probe_test::sample_certificate;

TEST(Certificates, AreReadAsTheyWereWritten) {
  const FileSystemCertificate certificate = sample_certificate();
  const auto read = parse_certificate(to_text(certificate));
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, certificate);
  EXPECT_FALSE(parse_certificate("something else\n"));
}

TEST(Certificates, LinesOfLaterVersionsArePassedOver) {
  const FileSystemCertificate certificate = sample_certificate();
  const std::string text = to_text(certificate) + "colour blue\ntrait.taste yes\n";
  ASSERT_TRUE(parse_certificate(text));
  EXPECT_EQ(*parse_certificate(text), certificate);
}

TEST(Certificates, EachWeaknessIsSaidOnce) {
  FileSystemTraits traits;
  EXPECT_TRUE(weaknesses(traits).empty()) << "what was not tried is not called weak";
  traits.coherent = Known::no;
  traits.locks = LockReach::node;
  EXPECT_EQ(weaknesses(traits).size(), 2U);
}

}  // namespace
}  // namespace shardmark
