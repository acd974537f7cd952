// SPDX-License-Identifier: Apache-2.0
// A published model's header layout becomes a model; an index selects.
#include "shardmark/workload/safetensors_model.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "shardmark/testing/temporary_directory.hpp"
#include "shardmark/workload/safetensors_test_fixture.hpp"
#include "shardmark/workload/workload.hpp"

namespace shardmark {
namespace {

using ::testing::HasSubstr;
using namespace safetensors_test;

/// Names and shapes of a Llama 2 checkpoint of Hugging Face, in the order of its own file, float16.
std::string llama_header(std::int64_t hidden, std::int64_t ffn, int layers, std::uint64_t& end) {
  nlohmann::ordered_json header;
  header["__metadata__"] = {{"format", "pt"}};
  const auto add = [&](const std::string& name, std::vector<std::int64_t> shape) {
    std::uint64_t bytes = 2;
    for (const std::int64_t extent : shape) {
      bytes *= static_cast<std::uint64_t>(extent);
    }
    header[name] = {{"dtype", "F16"}, {"shape", shape}, {"data_offsets", {end, end + bytes}}};
    end += bytes;
  };
  add("lm_head.weight", {32000, hidden});
  add("model.embed_tokens.weight", {32000, hidden});
  for (int i = 0; i < layers; ++i) {
    const std::string layer = "model.layers." + std::to_string(i) + ".";
    add(layer + "input_layernorm.weight", {hidden});
    add(layer + "mlp.down_proj.weight", {hidden, ffn});
    add(layer + "mlp.gate_proj.weight", {ffn, hidden});
    add(layer + "mlp.up_proj.weight", {ffn, hidden});
    add(layer + "post_attention_layernorm.weight", {hidden});
    for (const char* name : {"k_proj", "o_proj", "q_proj", "v_proj"}) {
      add(layer + "self_attn." + name + ".weight", {hidden, hidden});
    }
    add(layer + "self_attn.rotary_emb.inv_freq", {64});
  }
  add("model.norm.weight", {hidden});
  return header.dump();
}

TEST(SafetensorsModel, APublishedLayoutIsAModel) {
  const shardmark::testing::TemporaryDirectory directory;
  const std::string path = directory.path() + "/model.safetensors";
  std::uint64_t end = 0;
  const std::string header = llama_header(4096, 11008, 32, end);  // Llama 2 7B
  for (const bool with_data : {false, true}) {
    write_file(path, header.size(), header);
    if (with_data) {
      std::filesystem::resize_file(path, 8 + header.size() + end);  // 13.5 GB, all holes
    }
    ModelOptions options;
    options.safetensors = path;
    const auto model = make_model(options);
    ASSERT_TRUE(model) << model.error().message;
    EXPECT_EQ(model->tensors.size(), 32U * 10 + 3);
    EXPECT_EQ(num_elements(model->tensors), 6738415616 + 32 * 64);
    EXPECT_EQ(model->num_layers, 32);
    EXPECT_EQ(model->tensors[0].layer, 32) << "the head comes last";
    EXPECT_EQ(model->tensors[1].layer, -1);
    EXPECT_EQ(model->tensors[3].tp_cut, TpCut::dim_1) << model->tensors[3].fqn;
    EXPECT_EQ(model->tensors[4].tp_cut, TpCut::dim_0) << model->tensors[4].fqn;
    EXPECT_EQ(model->tensors[0].dtype, Dtype::float16);
  }
  WorkloadOptions options;
  options.model.safetensors = path;
  options.model.scale = 0.0005;
  options.parallel.strategy = "megatron";
  options.parallel.pp = 2;
  auto workload = Workload::make(options, 1, 4, Memory::allocate);
  ASSERT_TRUE(workload) << workload.error().message;
  workload->fill(5);
  EXPECT_TRUE(workload->check(5));
}

TEST(SafetensorsModel, AnIndexNamesItsFiles) {
  const shardmark::testing::TemporaryDirectory directory;
  const std::string index = directory.path() + "/model.safetensors.index.json";
  const auto header = [](const std::string& name, int experts) {
    nlohmann::json json;
    for (int e = 0; e < experts; ++e) {
      json["layers.0.experts." + std::to_string(e) + "." + name] = {
          {"dtype", "BF16"}, {"shape", {2, 3}}, {"data_offsets", {12 * e, 12 * e + 12}}};
    }
    return json.dump();
  };
  write_file(directory.path() + "/a.safetensors", header("w1", 2).size(), header("w1", 2));
  write_file(directory.path() + "/b.safetensors", header("w2", 2).size(), header("w2", 2));
  const auto read = [&](const std::string& text) {
    std::ofstream(index) << text;
    ModelOptions options;
    options.safetensors = index;
    return make_model(options);
  };
  const std::string good = R"({"metadata": {"total_size": 48}, "weight_map": {
    "layers.0.experts.0.w1": "a.safetensors", "layers.0.experts.1.w1": "a.safetensors",
    "layers.0.experts.0.w2": "b.safetensors", "layers.0.experts.1.w2": "b.safetensors"}})";
  const auto model = read(good);
  ASSERT_TRUE(model) << model.error().message;
  EXPECT_EQ(model->tensors.size(), 4U);
  EXPECT_EQ(model->tensors[1].expert, 1);
  EXPECT_EQ(model->tensors[1].num_experts, 2);

  const auto refuses = [&](std::string from, const std::string& to, const char* why) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    const auto refused = read(text);
    ASSERT_FALSE(refused) << why;
    EXPECT_EQ(exit_code(refused.error().code), 2);
    EXPECT_THAT(refused.error().message, HasSubstr(why));
  };
  refuses("b.safetensors", "0gone.safetensors", "0gone.safetensors: cannot be read");
  refuses("b.safetensors", "../b.safetensors", "beside the index");
  refuses("b.safetensors", "a.safetensors", "'layers.0.experts.0.w2' is not in a.safetensors");
  refuses("{\"metadata\"", "{\"x", "is not JSON");
  refuses("weight_map", "weights", "is not JSON with an object \"weight_map\"");
  refuses("layers.0.experts.1.w1", "layers.0.experts.0.w1", "names a tensor twice");
  refuses("\"layers.0.experts.0.w1\"", "\"zz\": \"b.safetensors\", \"layers.0.experts.0.w1\"",
          "tensor 'zz' is not in b.safetensors");
}

TEST(SafetensorsModel, AFolderMeansTheFileWithTheKnownName) {
  const shardmark::testing::TemporaryDirectory directory;
  const auto add = [&](const std::string& file, const std::string& tensor) {
    const std::string header =
        nlohmann::json{{tensor, {{"dtype", "BF16"}, {"shape", {2, 3}}, {"data_offsets", {0, 12}}}}}
            .dump();
    write_file(directory.path() + "/" + file, header.size(), header);
  };
  ModelOptions options;
  options.safetensors = directory.path();
  add("consolidated.safetensors", "tok_embeddings.weight");
  add("b.safetensors", "b");
  ASSERT_TRUE(make_model(options));
  EXPECT_EQ(make_model(options)->tensors.size(), 2U);
  add("model.safetensors", "model.embed_tokens.weight");
  const auto model = make_model(options);
  ASSERT_TRUE(model) << model.error().message;
  ASSERT_EQ(model->tensors.size(), 1U);
  EXPECT_EQ(model->tensors.front().fqn, "model.embed_tokens.weight");
}

TEST(SafetensorsModel, AnIndexSelectsAndTheRestIsNoted) {
  const shardmark::testing::TemporaryDirectory directory;
  const std::string& folder = directory.path();
  write_tensors(folder + "/p1.safetensors", {{"a", "F32", {8}, 32}, {"head", "F32", {8, 8}, 256}});
  write_tensors(folder + "/p2.safetensors", {{"b", "F32", {8}, 32}, {"head", "F32", {8, 8}, 256}});
  const std::string index = folder + "/model.safetensors.index.json";
  std::ofstream(index) << R"({"weight_map": {"a": "p1.safetensors", "head": "p1.safetensors",
                              "b": "p2.safetensors"}})";
  for (const std::string& path : {index, folder}) {
    SCOPED_TRACE(path);
    const auto model = read_model(path);
    ASSERT_TRUE(model) << model.error().message;
    EXPECT_EQ(model->tensors.size(), 3U);
    ASSERT_EQ(model->notes.size(), 1U);
    EXPECT_THAT(model->notes[0], HasSubstr("'head' of p2.safetensors"));
  }
  std::filesystem::remove(index);
  EXPECT_THAT(read_model(folder).error().message, HasSubstr("'head' is in "))
      << "without an index nobody can tell which counts";
  std::filesystem::remove(folder + "/p2.safetensors");
  EXPECT_EQ(read_model(folder).value().tensors.size(), 2U);
  std::filesystem::remove(folder + "/p1.safetensors");
  EXPECT_EQ(read_model(folder).error().code, ErrorCode::not_found);
}

}  // namespace
}  // namespace shardmark
