// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "bench/ceiling/ceiling_kind.hpp"

namespace shardmark::bench {
namespace {

TEST(CeilingKind, NamesAreDistinctAndRawOptionsAreTheNine) {
  std::set<std::string> names;
  for (const CeilingKind& kind : ceiling_kinds()) {
    EXPECT_TRUE(names.insert(ceiling_variant(kind)).second);
    EXPECT_EQ(ceiling_options(kind).size(), kind.layer == CeilingLayer::bare_hdf5 ? 2U
                                            : kind.layer == CeilingLayer::mpi_io  ? 6U
                                                                                  : 9U);
  }
  EXPECT_EQ(names.size(), 14U);
  EXPECT_TRUE(names.contains("posix-shared-direct-load"));
}

}  // namespace
}  // namespace shardmark::bench
