// SPDX-License-Identifier: Apache-2.0
#include "shardmark/workload/catalog.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "shardmark/protocol/state_dict.hpp"
#include "shardmark/workload/catalog_test_fixture.hpp"

namespace shardmark {
namespace {

using namespace catalog_test;

TEST(Catalog, PublishedCounts) {
  struct Published {
    const char* name;
    std::int64_t parameters;
    std::size_t tensors;
    Dtype dtype;
  };
  // Parameters as on the models' pages or in their papers; tensors: lines of the weight index
  // (DeepSeek's less fp8 scales and the multi-token-prediction layer).
  for (const Published& p :
       {Published{"llama3-8b", 8'030'261'248, 291, Dtype::bfloat16},
        {"llama3-70b", 70'553'706'496, 723, Dtype::bfloat16},
        {"llama3-405b", 405'853'388'800, 1137, Dtype::bfloat16},
        {"mixtral-8x7b", 46'702'792'704, 995, Dtype::bfloat16},
        {"gpt3-175b", 174'604'259'328, 1156, Dtype::float16},
        {"deepseek-v3", 671'026'419'200, 3 + 61 * 9 + 3 * 3 + 58 * 773, Dtype::bfloat16}}) {
    SCOPED_TRACE(p.name);
    const Model model = model_of(p.name);
    EXPECT_EQ(num_elements(model.tensors), p.parameters);
    EXPECT_EQ(model.tensors.size(), p.tensors);
    EXPECT_EQ(model.tensors.front().dtype, p.dtype);
  }
  EXPECT_EQ(num_bytes_with_optimizer(model_of("llama3-8b")), 8'030'261'248 * 14);
}

TEST(Catalog, TinyHasEveryAwkwardThing) {
  const Model tiny = model_of("tiny");
  std::set<Dtype> dtypes;
  std::set<int> ndims;
  bool zero_size = false;
  std::string names;
  for (const TensorSpec& tensor : tiny.tensors) {
    EXPECT_TRUE(check_fqn(tensor.fqn));
    dtypes.insert(tensor.dtype);
    ndims.insert(tensor.shape.ndim());
    zero_size = zero_size || volume(tensor.shape) == 0;
    names += tensor.fqn;
  }
  EXPECT_EQ(dtypes.size(), 12U);
  EXPECT_TRUE(ndims.contains(0) && ndims.contains(5) && ndims.contains(8));
  EXPECT_TRUE(zero_size);
  for (const char* part : {".", "/", "%", "\xC3\xB6"}) {
    EXPECT_NE(names.find(part), std::string::npos) << part;
  }
  EXPECT_GT(num_bytes_with_optimizer(tiny), 1'000'000);
  EXPECT_LT(num_bytes_with_optimizer(tiny), 8'000'000);
}

TEST(Catalog, NamesAreUniqueWithOptimizer) {
  for (const std::string_view name : model_names()) {
    const Model model = model_of(std::string(name));
    std::set<std::string> names;
    const auto states = optimizer_tensors(model);
    for (const auto* list : {&model.tensors, &states}) {
      for (const TensorSpec& tensor : *list) {
        EXPECT_TRUE(names.insert(tensor.fqn).second) << tensor.fqn;
        EXPECT_TRUE(checked_volume(tensor.shape));
      }
    }
    EXPECT_EQ(num_bytes(model.tensors) + num_bytes(states), num_bytes_with_optimizer(model));
  }
}

TEST(Catalog, UnknownNameSuggests) {
  const auto model = make_model({"llama3-7b", {}, {}, "adamw"});
  ASSERT_FALSE(model);
  EXPECT_EQ(exit_code(model.error().code), 2);
  EXPECT_NE(model.error().message.find("did you mean 'llama3-"), std::string::npos);
}

TEST(Catalog, DtypeOverridesParametersOnly) {
  const Model model = make_model({"tiny", {}, Dtype::float16, "adamw"}).value();
  for (const TensorSpec& tensor : model.tensors) {
    EXPECT_EQ(tensor.dtype, Dtype::float16);
  }
  EXPECT_EQ(optimizer_tensors(model)[0].dtype, Dtype::float32);
}

}  // namespace
}  // namespace shardmark
