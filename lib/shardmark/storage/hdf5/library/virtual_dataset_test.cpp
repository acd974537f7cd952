// SPDX-License-Identifier: Apache-2.0
// What serial HDF5 sees through virtual datasets: sources beside the file, names with %, gaps.
#include "shardmark/storage/hdf5/library/virtual_dataset.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "shardmark/storage/hdf5/library/datatype.hpp"
#include "shardmark/storage/hdf5/library/new_file.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark {
namespace {

constexpr const char* source_file = "rank-00001.h5";

void make_source(const std::string& path) {
  auto file = NewHdf5File::create(path, {.alignment = {}, .meta_block_size = 2048}).value();
  {
    const H5Group group = file.make_group("/tensors").value();
    const H5Type type = hdf5_type(Dtype::int32).value();
    const H5Dataset dataset = file.make_dataset(group, "a%2Fb", type, {2, 3}).value();
    const std::vector<std::int32_t> numbers = {1, 2, 3, 4, 5, 6};
    ASSERT_GE(H5Dwrite(dataset.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers.data()),
              0);
  }
  ASSERT_TRUE(file.close());
}

std::vector<std::int32_t> read_whole(const std::string& path) {
  const H5File file(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT));
  const H5Dataset dataset(H5Dopen2(file.get(), "/tensors/w", H5P_DEFAULT));
  std::vector<std::int32_t> numbers(8);
  EXPECT_GE(H5Dread(dataset.get(), H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, numbers.data()),
            0);
  return numbers;
}

TEST(VirtualDataset, ShowsItsSourceAndAllOnesWhereThereIsNone) {
  const shardmark::testing::TemporaryDirectory directory;
  const std::string path = directory.path() + "/checkpoint.h5";
  const std::string source = directory.path() + "/" + source_file;
  make_source(source);
  auto file =
      NewHdf5File::create(path, {.alignment = {}, .meta_block_size = 2048, .holds_virtual = true});
  ASSERT_TRUE(file) << file.error().message;
  {
    const H5Group group = file->make_group("/tensors").value();
    const H5Type type = hdf5_type(Dtype::int32).value();
    VirtualSources sources = VirtualSources::make({2, 4}, Dtype::int32, type).value();
    ASSERT_TRUE(sources.add_whole({{0, 1}, {2, 3}}, source_file, "/tensors/a%2Fb"));
    EXPECT_GT(sources.heap_bytes(), 0);
    ASSERT_TRUE(file->make_dataset(group, "w", type, {2, 4}, &sources.creation()));
  }
  ASSERT_TRUE(file->close());
  EXPECT_EQ(read_whole(path), (std::vector<std::int32_t>{-1, 1, 2, 3, -1, 4, 5, 6}));
  std::filesystem::remove(source);
  EXPECT_EQ(read_whole(path), std::vector<std::int32_t>(8, -1));
}

}  // namespace
}  // namespace shardmark
