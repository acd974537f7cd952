// SPDX-License-Identifier: Apache-2.0
// Shrunk models keep their structure, and impossible shares name the nearest.
#include "shardmark/workload/catalog.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "shardmark/workload/catalog_test_fixture.hpp"

namespace shardmark {
namespace {

using namespace catalog_test;

TEST(Scale, WithinTenPercentWithStructureKept) {
  for (const std::string_view name : model_names()) {
    const Model whole = model_of(std::string(name));
    const auto bytes = static_cast<double>(num_bytes_with_optimizer(whole));
    for (const double share : {1.0, 0.5, 0.1, 0.02, 0.001}) {
      if ((name == "tiny" && share < 0.02) || (name == "deepseek-v3" && share > 0.1) ||
          (name == "many-small" && share != 0.1)) {
        continue;  // nothing left to shrink; thousands of tensors that say no more
      }
      SCOPED_TRACE(std::string(name) + " at " + std::to_string(share));
      const Model small = model_of(std::string(name), share);
      EXPECT_NEAR(static_cast<double>(num_bytes_with_optimizer(small)) / bytes, share, share * 0.1);
      ASSERT_EQ(small.tensors.size(), whole.tensors.size());
      std::map<std::int64_t, std::int64_t> images;
      for (std::size_t i = 0; i < whole.tensors.size(); ++i) {
        const TensorSpec& from = whole.tensors[i];
        const TensorSpec& to = small.tensors[i];
        EXPECT_EQ(to.fqn, from.fqn);
        ASSERT_EQ(to.shape.ndim(), from.shape.ndim());
        for (int d = 0; d < from.shape.ndim(); ++d) {
          EXPECT_EQ(images.emplace(from.shape[d], to.shape[d]).first->second, to.shape[d]);
          EXPECT_EQ(to.shape[d] == 0, from.shape[d] == 0);
        }
      }
    }
    EXPECT_EQ(num_elements(model_of(std::string(name), 1.0).tensors), num_elements(whole.tensors));
  }
  const Model small = model_of("deepseek-v3", 0.001);
  EXPECT_EQ(tensor_of(small, "model.layers.3.mlp.gate.weight").shape[0], 256) << "experts stay";
}

TEST(Scale, ImpossibleSharesNameTheNearest) {
  for (const double share : {1e-9, 0.0, -1.0, 1.5, std::nan("")}) {
    const auto model = make_model({"llama3-8b", share, {}, "adamw"});
    ASSERT_FALSE(model) << share;
    EXPECT_EQ(model.error().code, ErrorCode::invalid_argument);
  }
  const auto model = make_model({"llama3-8b", 1e-9, {}, "adamw"});
  EXPECT_NE(model.error().message.find("nearest possible share is"), std::string::npos);
}

}  // namespace
}  // namespace shardmark
