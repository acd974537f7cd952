// SPDX-License-Identifier: Apache-2.0
// Certificates are kept for a day, for the same place, nodes and program.
#include "shardmark/storage/probe/certificate_store.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "shardmark/storage/probe/certificate_test_fixture.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark {
namespace {

using probe_test::sample_certificate;
using shardmark::testing::TemporaryDirectory;

TEST(Certificates, AreKeptForADayForTheSamePlaceNodesAndProgram) {
  const TemporaryDirectory cache;
  ASSERT_EQ(::setenv("XDG_CACHE_HOME", cache.path().c_str(), 1), 0);
  FileSystemCertificate certificate = sample_certificate();
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

TEST(Certificates, WhatFailedByAnErrorOfTheMomentIsNotLasting) {
  FileSystemCertificate certificate = sample_certificate();
  EXPECT_TRUE(is_lasting(certificate));
  certificate.reasons["o_direct"] = "cannot write: Invalid argument";
  EXPECT_TRUE(is_lasting(certificate));
  for (const char* reason : {"cannot write: Input/output error", "No space left on device",
                             "cannot open: Too many open files"}) {
    certificate.reasons["o_direct"] = reason;
    EXPECT_FALSE(is_lasting(certificate)) << reason;
  }
}

TEST(Certificates, APreloadedLibraryIsSeen) {
  const char* const before = std::getenv("LD_PRELOAD");
  const std::string kept = before == nullptr ? "" : before;
  ASSERT_EQ(::setenv("LD_PRELOAD", "libprofiler.so", 1), 0);
  EXPECT_TRUE(has_preloaded_library());
  ASSERT_EQ(::setenv("LD_PRELOAD", "", 1), 0);
  EXPECT_FALSE(has_preloaded_library());
  ::unsetenv("LD_PRELOAD");
  EXPECT_FALSE(has_preloaded_library());
  if (before != nullptr) {
    ::setenv("LD_PRELOAD", kept.c_str(), 1);
  }
}

}  // namespace
}  // namespace shardmark
