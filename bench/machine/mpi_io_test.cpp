// SPDX-License-Identifier: Apache-2.0
#include "bench/machine/mpi_io.hpp"

#include <gtest/gtest.h>

#include <array>

namespace shardmark::bench {
namespace {

constexpr std::array<IoComponent, 2> components = {{{"romio321", 10}, {"ompio", 30}}};

TEST(ComponentInForce, IsTheNamedOneOrTheStrongest) {
  EXPECT_EQ(component_in_force("", components, "ext4"), "ompio");
  EXPECT_EQ(component_in_force("romio321", components, "ext4"), "romio321");
  EXPECT_EQ(component_in_force("romio321,ompio", components, "ext4"), "ompio");
  EXPECT_EQ(component_in_force("^ompio", components, "ext4"), "romio321");
  EXPECT_EQ(component_in_force("^romio321", components, "lustre"), "ompio");
}

TEST(ComponentInForce, IsUnknownWhereNothingDecides) {
  EXPECT_EQ(component_in_force("", components, "lustre"), "unknown");
  EXPECT_EQ(component_in_force("romio341", components, "ext4"), "unknown");
  EXPECT_EQ(component_in_force("^ompio,romio321", components, "ext4"), "unknown");
  EXPECT_EQ(component_in_force("", {}, "ext4"), "unknown");
}

}  // namespace
}  // namespace shardmark::bench
