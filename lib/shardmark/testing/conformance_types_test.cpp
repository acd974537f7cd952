// SPDX-License-Identifier: Apache-2.0
// Every tensor type of this library keeps the contract.
#include <gtest/gtest.h>

#include "shardmark/testing/own_types.hpp"

namespace shardmark::testing {
namespace {

TEST(Conformance, OwnTypesKeepTheContract) {
  for (const OwnType& type : own_types()) {
    SCOPED_TRACE(type.name);
    EXPECT_EQ(to_string(check_hooks(type.make)), "");
  }
}

}  // namespace
}  // namespace shardmark::testing
