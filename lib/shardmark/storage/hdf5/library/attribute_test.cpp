// SPDX-License-Identifier: Apache-2.0
// Attributes as serial HDF5 reads them, before and after they were rewritten.
#include "shardmark/storage/hdf5/library/attribute.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "shardmark/storage/hdf5/library/existing_file.hpp"
#include "shardmark/storage/hdf5/library/new_file.hpp"
#include "shardmark/testing/temporary_directory.hpp"

namespace shardmark {
namespace {

template <typename T>
T number_of(const H5File& file, const char* name, hid_t type) {
  const H5Attribute attribute(H5Aopen_by_name(file.get(), "/g", name, H5P_DEFAULT, H5P_DEFAULT));
  T value = 0;
  EXPECT_GE(H5Aread(attribute.get(), type, &value), 0) << name;
  return value;
}

TEST(Hdf5Attribute, IsReadAsItWasWrittenAndRewritten) {
  const shardmark::testing::TemporaryDirectory directory;
  const std::string path = directory.path() + "/file.h5";
  auto file = NewHdf5File::create(path, {.alignment = {}, .meta_block_size = 2048});
  ASSERT_TRUE(file) << file.error().message;
  {
    const H5Group group = file->make_group("/g").value();
    ASSERT_TRUE(AttributeValue(~std::uint64_t{0}).create(group.get(), "seed"));
    ASSERT_TRUE(AttributeValue(std::int64_t{-3}).create(group.get(), "step"));
    ASSERT_TRUE(AttributeValue("gr\xC3\xB6\xC3\x9F"
                               "er")
                    .create(group.get(), "name"));
    ASSERT_TRUE(AttributeValue("").create(group.get(), "nothing"));
    EXPECT_FALSE(AttributeValue(std::int64_t{1}).create(group.get(), "step")) << "it is there";
    EXPECT_FALSE(AttributeValue(std::int64_t{1}).rewrite(group.get(), "other"));
  }
  ASSERT_TRUE(file->close());
  auto again = ExistingHdf5File::open(path);
  ASSERT_TRUE(again) << again.error().message;
  {
    const H5Group group = again->open_group("/g").value();
    ASSERT_TRUE(AttributeValue(std::int64_t{99}).rewrite(group.get(), "step"));
  }
  ASSERT_TRUE(again->close());

  const H5File stored(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT));
  EXPECT_EQ(number_of<std::uint64_t>(stored, "seed", H5T_NATIVE_UINT64), ~std::uint64_t{0});
  EXPECT_EQ(number_of<std::int64_t>(stored, "step", H5T_NATIVE_INT64), 99);
  const H5Attribute name(H5Aopen_by_name(stored.get(), "/g", "name", H5P_DEFAULT, H5P_DEFAULT));
  const H5Type type(H5Aget_type(name.get()));
  std::string text(H5Tget_size(type.get()), ' ');
  ASSERT_GE(H5Aread(name.get(), type.get(), text.data()), 0);
  EXPECT_EQ(text,
            "gr\xC3\xB6\xC3\x9F"
            "er");
  EXPECT_EQ(H5Tget_cset(type.get()), H5T_CSET_UTF8);
}

}  // namespace
}  // namespace shardmark
