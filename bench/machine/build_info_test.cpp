// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "bench/machine/build_info.hpp"
#include "bench/text/table.hpp"

namespace shardmark::bench {
namespace {

TEST(BuildInfo, IsWhole) {
  const BuildInfo info = build_info();
  EXPECT_TRUE(info.commit == "unknown" || info.commit.size() == 40) << info.commit;
  EXPECT_THAT(info.mpi, ::testing::Not(::testing::HasSubstr(",")));
  for (const std::string& text : {info.version, info.compiler, info.build_type, info.mpi, info.hdf5,
                                  info.fmt, info.google_benchmark}) {
    EXPECT_FALSE(text.empty());
  }
}

}  // namespace
}  // namespace shardmark::bench
