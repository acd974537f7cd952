// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "shardmark/workload/catalog.hpp"

namespace shardmark::catalog_test {

inline Model model_of(const std::string& name, std::optional<double> scale = {}) {
  auto model = make_model({name, scale, {}, "adamw"});
  EXPECT_TRUE(model) << model.error().message;
  return std::move(*model);
}

inline const TensorSpec& tensor_of(const Model& model, std::string_view fqn) {
  for (const TensorSpec& tensor : model.tensors) {
    if (tensor.fqn == fqn) {
      return tensor;
    }
  }
  ADD_FAILURE() << "no " << fqn;
  return model.tensors.front();
}

}  // namespace shardmark::catalog_test
