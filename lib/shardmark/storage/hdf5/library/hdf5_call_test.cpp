// SPDX-License-Identifier: Apache-2.0
// HDF5's failures become errors that name the call, the object and the reason.
#include "shardmark/storage/hdf5/library/hdf5_call.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>

namespace shardmark {
namespace {

TEST(Hdf5Call, AFailureNamesTheCallTheObjectAndTheReason) {
  ASSERT_TRUE(prepare_hdf5());
  const auto opened = hdf5_handle<H5File>(
      H5Fopen("/nowhere/at/all.h5", H5F_ACC_RDONLY, H5P_DEFAULT), "H5Fopen", "/nowhere/at/all.h5");
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::io_error);
  EXPECT_THAT(opened.error().message, ::testing::StartsWith("H5Fopen /nowhere/at/all.h5: "));
  EXPECT_THAT(opened.error().message, ::testing::HasSubstr("No such file"));
}

TEST(Hdf5Call, CountsCallsThatTouchFilesAndNoOthers) {
  const std::int64_t before = hdf5_metadata_calls();
  for (const char* function : {"H5Pcreate", "H5Screate", "H5Tcopy", "H5Dwrite", "H5Dread"}) {
    note_hdf5_call(function);
  }
  EXPECT_EQ(hdf5_metadata_calls(), before);
  for (const char* function : {"H5Fopen", "H5Dcreate2", "H5Acreate2", "H5Gopen2"}) {
    note_hdf5_call(function);
  }
  EXPECT_EQ(hdf5_metadata_calls(), before + 4);
}

}  // namespace
}  // namespace shardmark
