// SPDX-License-Identifier: Apache-2.0
#include "shardmark/workload/catalog.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "shardmark/protocol/state_dict.hpp"

namespace shardmark {
namespace {

Model model_of(const std::string& name, std::optional<double> scale = {}) {
  auto model = make_model({name, scale, {}, "adamw"});
  EXPECT_TRUE(model) << model.error().message;
  return std::move(*model);
}

const TensorSpec& tensor_of(const Model& model, std::string_view fqn) {
  for (const TensorSpec& tensor : model.tensors) {
    if (tensor.fqn == fqn) {
      return tensor;
    }
  }
  ADD_FAILURE() << "no " << fqn;
  return model.tensors.front();
}

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

TEST(Catalog, NamesShapesAndRoles) {
  const Model llama = model_of("llama3-70b");
  EXPECT_EQ(llama.tensors.front().fqn, "model.embed_tokens.weight");
  EXPECT_EQ(llama.tensors.back().fqn, "lm_head.weight");
  EXPECT_EQ(llama.tensors.back().layer, 80);
  const TensorSpec& key = tensor_of(llama, "model.layers.79.self_attn.k_proj.weight");
  EXPECT_EQ(key.shape, (Dims{1024, 8192}));
  EXPECT_EQ(key.tp_cut, TpCut::dim_0);
  EXPECT_EQ(key.layer, 79);
  EXPECT_EQ(tensor_of(llama, "model.layers.0.mlp.down_proj.weight").tp_cut, TpCut::dim_1);
  EXPECT_EQ(tensor_of(llama, "model.norm.weight").tp_cut, TpCut::none);

  const Model mixtral = model_of("mixtral-8x7b");
  EXPECT_EQ(tensor_of(mixtral, "model.layers.31.block_sparse_moe.experts.7.w2.weight").shape,
            (Dims{4096, 14336}));
  EXPECT_EQ(tensor_of(mixtral, "model.layers.0.block_sparse_moe.gate.weight").shape,
            (Dims{8, 4096}));

  const Model gpt = model_of("gpt3-175b");
  EXPECT_EQ(tensor_of(gpt, "h.95.attn.c_attn.weight").shape, (Dims{12288, 36864}));
  EXPECT_EQ(tensor_of(gpt, "wpe.weight").shape, (Dims{2048, 12288}));

  const Model deepseek = model_of("deepseek-v3");
  const TensorSpec& bias = tensor_of(deepseek, "model.layers.3.mlp.gate.e_score_correction_bias");
  EXPECT_EQ(bias.dtype, Dtype::float32);
  EXPECT_EQ(bias.shape, (Dims{256}));
  EXPECT_EQ(tensor_of(deepseek, "model.layers.60.self_attn.kv_b_proj.weight").shape,
            (Dims{32768, 512}));
  EXPECT_EQ(tensor_of(deepseek, "model.layers.2.mlp.gate_proj.weight").shape, (Dims{18432, 7168}));
}

TEST(Catalog, MlperfHasOneFinalNormATensorParallelRankThatWritesOne) {
  EXPECT_EQ(tensor_of(model_of("mlperf-70b"), "model.norm.weight").shape, (Dims{8192}));
  const Model model = model_of("mlperf-405b");
  const TensorSpec& norm = tensor_of(model, "model.norm.weight");
  EXPECT_EQ(norm.shape, (Dims{8, 16384}));
  EXPECT_EQ(norm.tp_cut, TpCut::dim_0);
  EXPECT_EQ(num_elements(model.tensors), 405'853'388'800 + 7 * 16384);
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

TEST(Optimizer, StatesFollowTheirParameter) {
  const auto tensors_with = [](const char* optimizer) {
    return optimizer_tensors(make_model({"tiny", {}, {}, optimizer}).value());
  };
  EXPECT_TRUE(tensors_with("none").empty());
  const auto adamw = tensors_with("adamw");
  EXPECT_EQ(adamw[0].fqn, "optimizer.state.embed.weight.master");
  EXPECT_EQ(adamw[1].fqn, "optimizer.state.embed.weight.exp_avg");
  EXPECT_EQ(adamw[2].fqn, "optimizer.state.embed.weight.exp_avg_sq");
  EXPECT_EQ(adamw[2].dtype, Dtype::float32);
  EXPECT_EQ(adamw[2].shape, (Dims{1009, 61}));
  EXPECT_EQ(adamw[2].tp_cut, TpCut::dim_0);
  EXPECT_EQ(tensors_with("sgd-momentum")[0].fqn, "optimizer.state.embed.weight.momentum");
  const auto unknown = make_model({"tiny", {}, {}, "adam"});
  ASSERT_FALSE(unknown);
  EXPECT_NE(unknown.error().message.find("'adam'"), std::string::npos);
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
