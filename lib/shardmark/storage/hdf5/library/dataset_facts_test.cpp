// SPDX-License-Identifier: Apache-2.0
// Where HDF5 says that things lie, against bytes of the file.
#include "shardmark/storage/hdf5/library/dataset_facts.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "shardmark/storage/hdf5/library/datatype.hpp"
#include "shardmark/storage/hdf5/library/new_file.hpp"
#include "shardmark/storage/posix/file.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark {
namespace {

TEST(DatasetFacts, AddressesAreWhereElementsAreFound) {
  const shardmark::testing::TemporaryDirectory directory;
  const std::string path = directory.path() + "/file.h5";
  auto file = NewHdf5File::create(path, {.alignment = {}, .meta_block_size = 2048});
  ASSERT_TRUE(file) << file.error().message;
  std::int64_t address = -1;
  std::array<std::int64_t, 2> tiles{};
  {
    const H5Group group = file->make_group("/tensors").value();
    const H5Type type = hdf5_type(Dtype::int32).value();
    const H5Dataset plain = file->make_dataset(group, "plain", type, {3, 5}).value();
    const H5Properties creation = NewHdf5File::tiled({2, 5}).value();
    const H5Dataset tiled = file->make_dataset(group, "tiled", type, {4, 5}, &creation).value();
    const auto facts = dataset_facts(plain, "plain");
    ASSERT_TRUE(facts) << facts.error().message;
    EXPECT_EQ(facts->ndim, 2);
    EXPECT_EQ(facts->num_elements, 15);
    EXPECT_EQ(facts->itemsize, 4);
    address = address_of(plain, "plain").value();
    tiles = {tile_address(tiled, {0, 0}).value(), tile_address(tiled, {2, 0}).value()};
    EXPECT_FALSE(address_of(tiled, "tiled")) << "it has as many as it has hdf5_chunks";
    std::vector<std::int32_t> numbers(20);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      numbers[i] = 1000 + static_cast<std::int32_t>(i);
    }
    for (const H5Dataset* dataset : {&plain, &tiled}) {
      ASSERT_GE(H5Dwrite(dataset->get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers.data()),
                0);
    }
  }
  ASSERT_TRUE(file->close());
  const auto number_at = [&](std::int64_t place) {
    std::int32_t number = 0;
    EXPECT_TRUE(read_at(*open_file(path, O_RDONLY), path,
                        std::as_writable_bytes(std::span(&number, 1)), place));
    return number;
  };
  EXPECT_EQ(number_at(address), 1000);
  EXPECT_EQ(number_at(address + 4 * 14), 1014);
  EXPECT_EQ(number_at(tiles[0]), 1000);
  EXPECT_EQ(number_at(tiles[1]), 1010) << "the second tile begins with row 2";
}

}  // namespace
}  // namespace shardmark
