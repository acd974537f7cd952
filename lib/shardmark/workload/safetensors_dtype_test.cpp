// SPDX-License-Identifier: Apache-2.0
// Every dtype that the format has, held by its width.
#include "shardmark/workload/safetensors_dtype.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "shardmark/testing/temporary_directory.hpp"
#include "shardmark/workload/safetensors_test_fixture.hpp"

namespace shardmark {
namespace {

using ::testing::HasSubstr;
using namespace safetensors_test;

TEST(SafetensorsDtype, EveryPublishedDtypeIsHeldByItsWidth) {
  const shardmark::testing::TemporaryDirectory directory;
  const std::string path = directory.path() + "/x.safetensors";
  const std::vector<std::pair<Listed, std::pair<Dtype, std::string>>> cases = {
      {{"u16", "U16", {3, 4}, 24}, {Dtype::uint16, ""}},
      {{"u32", "U32", {3, 4}, 48}, {Dtype::uint32, ""}},
      {{"u64", "U64", {3, 4}, 96}, {Dtype::uint64, ""}},
      {{"c64", "C64", {3}, 24}, {Dtype::complex64, ""}},
      {{"e8m0", "F8_E8M0", {5}, 5}, {Dtype::float8_e8m0fnu, ""}},
      {{"fnuz", "F8_E4M3FNUZ", {5}, 5}, {Dtype::float8_e4m3fnuz, ""}},
      {{"fnuz2", "F8_E5M2FNUZ", {}, 1}, {Dtype::float8_e5m2fnuz, ""}},
      {{"f4", "F4", {3, 8}, 12}, {Dtype::float4_e2m1fn_x2, ""}},
      {{"f6", "F6_E2M3", {3, 8}, 18}, {Dtype::uint8, "F6_E2M3"}},
      {{"f6b", "F6_E3M2", {4}, 3}, {Dtype::uint8, "F6_E3M2"}},
      {{"b", "BOOL", {2}, 2}, {Dtype::bool_, ""}}};
  std::vector<Listed> tensors;
  for (const auto& [listed, expected] : cases) {
    tensors.push_back(listed);
  }
  write_tensors(path, tensors);
  const auto model = read_model(path);
  ASSERT_TRUE(model) << model.error().message;
  ASSERT_EQ(model->tensors.size(), cases.size());
  for (std::size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE(cases[i].first.name);
    const TensorSpec& tensor = model->tensors[i];
    EXPECT_EQ(tensor.dtype, cases[i].second.first);
    EXPECT_EQ(tensor.published_dtype, cases[i].second.second);
    EXPECT_EQ(volume(tensor.shape) * element_size(tensor.dtype),
              static_cast<std::int64_t>(cases[i].first.num_bytes));
  }
  EXPECT_EQ(model->tensors[7].shape, (Dims{3, 4})) << "counted in bytes";
  write_tensors(path, {{"odd", "F4", {3}, 1}});
  EXPECT_THAT(read_model(path).error().message, HasSubstr("no whole bytes"));
  write_tensors(path, {{"odd", "F4", {}, 0}});
  EXPECT_THAT(read_model(path).error().message, HasSubstr("no whole bytes"));
}

}  // namespace
}  // namespace shardmark
