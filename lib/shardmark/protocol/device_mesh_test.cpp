// SPDX-License-Identifier: Apache-2.0
#include "shardmark/protocol/device_mesh.hpp"

#include <gtest/gtest.h>

#include <map>

namespace shardmark {
namespace {

/// Every coordinate of the mesh, through rank_at(); every other rank must be outside.
void expect_bijection(const DeviceMesh& mesh, std::int64_t world_size) {
  std::map<std::int64_t, Dims> coordinates;
  for (std::int64_t i = 0; i < mesh.size(); ++i) {
    Dims at = mesh.shape();
    std::int64_t rest = i;
    for (int d = mesh.ndim() - 1; d >= 0; --d) {
      at[d] = rest % mesh.shape()[d];
      rest /= mesh.shape()[d];
    }
    EXPECT_TRUE(coordinates.emplace(mesh.rank_at(at), at).second) << "rank named twice";
  }
  for (std::int64_t rank = -2; rank < world_size; ++rank) {
    const auto found = coordinates.find(rank);
    const auto at = mesh.coordinate(rank);
    ASSERT_EQ(at.has_value(), found != coordinates.end()) << rank;
    if (at) {
      EXPECT_EQ(*at, found->second);
    }
  }
}

TEST(DeviceMesh, RowMajor) {
  const auto mesh = DeviceMesh::row_major({2, 3, 4});
  ASSERT_TRUE(mesh);
  EXPECT_EQ(mesh->size(), 24);
  EXPECT_EQ(mesh->coordinate(17), (Dims{1, 1, 1}));
  EXPECT_EQ(mesh->rank_at({1, 2, 3}), 23);
  expect_bijection(*mesh, 40);
}

TEST(DeviceMesh, SlicesOfABiggerMesh) {
  expect_bijection(DeviceMesh::strided({3, 2}, {8, 1}, 4).value(), 40);
  expect_bijection(DeviceMesh::strided({2, 3}, {1, 2}, 0).value(), 20);        // fastest first
  expect_bijection(DeviceMesh::strided({1, 4, 1}, {0, 5, 0}, 3).value(), 40);  // extent 1: any
  expect_bijection(DeviceMesh::strided({2, 2, 2}, {3, 17, 7}, 1).value(), 60);
  expect_bijection(DeviceMesh::row_major({}).value(), 4);  // 0-d: rank 0 alone
}

TEST(DeviceMesh, Refusals) {
  EXPECT_FALSE(DeviceMesh::row_major({2, 0}));
  EXPECT_FALSE(DeviceMesh::row_major({-1}));
  EXPECT_FALSE(DeviceMesh::row_major({1 << 20, 1 << 20}));
  EXPECT_FALSE(DeviceMesh::strided({2, 2}, {1, 1}, 0)) << "two coordinates, one rank";
  EXPECT_FALSE(DeviceMesh::strided({3, 2}, {1, 2}, 0)) << "2 = 0 + 2 = 2 + 0";
  EXPECT_FALSE(DeviceMesh::strided({2}, {1}, -1));
  EXPECT_FALSE(DeviceMesh::strided({3, 3}, {INT64_MAX, 2}, 0)) << "ranks beyond 2^31";
  EXPECT_FALSE(DeviceMesh::strided({2, 2}, {INT64_MAX - 1, 1}, 0));
  EXPECT_FALSE(DeviceMesh::strided({2}, {1}, INT64_MAX));
  EXPECT_FALSE(DeviceMesh::strided({2}, {1, 1}, 0));
}

}  // namespace
}  // namespace shardmark
