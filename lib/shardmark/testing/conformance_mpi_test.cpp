// SPDX-License-Identifier: Apache-2.0
// Every tensor type of this library through a real checkpoint of every back end, ranks without
// boxes included.
#include <gtest/gtest.h>

#include "shardmark/testing/mpi_world.hpp"
#include "shardmark/testing/own_types.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark::testing {
namespace {

TEST(Conformance, OwnTypesMakeTheRoundTrip) {
  const TemporaryDirectory directory(world());
  std::int64_t step = 0;
  for (const OwnType& type : own_types()) {
    SCOPED_TRACE(type.name);
    EXPECT_EQ(to_string(check_round_trip(type.make, world(), directory.path() + "/ck", step++)),
              "");
  }
}

/// Whoever adds a back end need only add its row to the table. Each plays a third of the types.
TEST(Conformance, EveryBackEndThatKeepsAnythingMakesTheRoundTrip) {
  const TemporaryDirectory directory(world());
  const std::vector<OwnType> types = own_types();
  std::int64_t step = 0;
  std::size_t first = 0;
  for (const BackendTraits& back_end : backend_table()) {
    StorageOptions storage;
    storage.backend = back_end.backend;
    for (std::size_t i = first++ % 3; i < types.size() && !back_end.discards; i += 3) {
      SCOPED_TRACE(std::string(back_end.name) + ", " + types[i].name);
      EXPECT_EQ(to_string(check_round_trip(types[i].make, world(), directory.path() + "/ck", step++,
                                           storage)),
                "");
    }
  }
}

/// Rows of a tensor; while it is saved, its elements are someone else's.
struct SavesOtherElements {
  std::vector<float> held;
  std::vector<float> other;
  Dims sizes;
  Box box;

  std::vector<WriteItem> create_write_items(std::string_view fqn) const {
    return {make_write_item(fqn, WriteItemType::shard, box, Dtype::float32, sizes, 0)};
  }
  std::vector<Box> create_chunk_list() const { return {box}; }
  Result<ConstTensorView> get_tensor_shard(const MetadataIndex&) const {
    return contiguous_view(reinterpret_cast<const std::byte*>(other.data()), Dtype::float32,
                           box.sizes);
  }
  Result<TensorView> get_tensor_shard(const MetadataIndex&) {
    return contiguous_view(reinterpret_cast<std::byte*>(held.data()), Dtype::float32, box.sizes);
  }
};

TEST(Conformance, ARoundTripThatLosesElementsIsNamedOnAllRanks) {
  const TemporaryDirectory directory(world());
  const auto broken = check_round_trip(
      maker([](std::int64_t rank, std::int64_t size) {
        return std::make_shared<SavesOtherElements>(SavesOtherElements{
            std::vector<float>(6), std::vector<float>(6), {2 * size, 3}, {{2 * rank, 0}, {2, 3}}});
      }),
      world(), directory.path() + "/ck");
  ASSERT_EQ(broken.size(), 1U);
  EXPECT_EQ(broken[0].rule, "round trip");
  EXPECT_NE(broken[0].detail.find("is loaded as 0"), std::string::npos) << broken[0].detail;
}

}  // namespace
}  // namespace shardmark::testing
