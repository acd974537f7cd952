// SPDX-License-Identifier: Apache-2.0
// A published model's header layout becomes a model; broken headers are refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "shardmark/testing/temporary_directory.hpp"
#include "shardmark/workload/catalog.hpp"
#include "shardmark/workload/safetensors_header.hpp"
#include "shardmark/workload/workload.hpp"

namespace shardmark {
namespace {

using ::testing::HasSubstr;

void write_file(const std::string& path, std::uint64_t header_bytes, const std::string& rest) {
  std::ofstream file(path, std::ios::binary);
  for (int i = 0; i < 8; ++i) {
    file.put(static_cast<char>(header_bytes >> (8 * i) & 0xFF));
  }
  file << rest;
}

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

TEST(Safetensors, APublishedLayoutIsAModel) {
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

TEST(Safetensors, AnIndexNamesItsFiles) {
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
  refuses("b.safetensors", "a.safetensors", "where the index does not look");
  refuses("layers.0.experts.0.w2\": \"b", "other\": \"b", "where the index does not look");
  refuses("{\"metadata\"", "{\"x", "is not JSON");
  refuses("weight_map", "weights", "is not JSON with an object \"weight_map\"");
  refuses("layers.0.experts.1.w1", "layers.0.experts.0.w1", "names a tensor twice");
  refuses("\"layers.0.experts.0.w1\"", "\"zz\": \"b.safetensors\", \"layers.0.experts.0.w1\"",
          "tensor 'zz' is not in b.safetensors");
}

struct Broken {
  const char* kind;
  std::uint64_t claimed;  // 0: the header's own length
  std::string header;
  std::string data;
  const char* why;
};

TEST(Safetensors, BrokenHeadersAreRefused) {
  const std::string tensor = R"("a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]})";
  const auto with = [](const std::string& dtype, const std::string& shape,
                       const std::string& offsets) {
    return R"({"a": {"dtype": )" + dtype + R"(, "shape": )" + shape + R"(, "data_offsets": )" +
           offsets + "}}";
  };
  const std::string four = std::string(4, '\0');
  std::string deep = R"({"a": {"shape": )";
  deep.append(1'000'000, '[');
  const Broken all[] = {
      {"length overflow", ~std::uint64_t{0}, "{}", "", "claims a header of 18446744073709551615"},
      {"4 GiB claim", std::uint64_t{4} << 30, "{" + tensor + "}", "",
       "claims a header of 4294967296"},
      {"truncated header", 500, "{" + tensor + "}", "", "claims a header of 500"},
      {"truncated data", 0, "{" + tensor + "}", four, "truncated"},
      {"trailing data", 0, "{" + tensor + "}", std::string(12, '\0'), "longer"},
      {"not JSON", 0, "{\"a\": pickle", "", "not JSON"},
      {"not an object", 0, "[1]", "", "does not begin with '{'"},
      {"empty header", 0, "", "", "does not begin with '{'"},
      {"duplicate tensor", 0, "{" + tensor + "," + tensor + "}", "", "'a' stands there twice"},
      {"duplicate key", 0, R"({"a": {"dtype": "F32", "dtype": "F16"}})", "",
       "key stands there twice"},
      {"bad dtype", 0, with("\"F7\"", "[2]", "[0, 8]"), "", "'F7' is not a dtype"},
      {"dtype no string", 0, with("32", "[2]", "[0, 8]"), "", "found a number"},
      {"negative shape", 0, with("\"F32\"", "[-2]", "[0, 8]"), "", "found -2"},
      {"fractional shape", 0, with("\"F32\"", "[2.5]", "[0, 8]"), "", "found 2.5"},
      {"shape too large", 0, with("\"F32\"", "[18446744073709551615]", "[0, 8]"), "", "2^63"},
      {"volume overflow", 0, with("\"F32\"", "[4294967296, 4294967296]", "[0, 8]"), "", "2^63"},
      {"bytes overflow", 0, with("\"F64\"", "[2305843009213693952]", "[0, 0]"), "", "data_offsets"},
      {"nine dimensions", 0, with("\"F32\"", "[1,1,1,1,1,1,1,1,2]", "[0, 8]"), "", "8"},
      {"shape and offsets", 0, with("\"F32\"", "[2]", "[0, 12]"), "",
       "takes 8 bytes, data_offsets span 12"},
      {"backward offsets", 0, with("\"F32\"", "[2]", "[8, 0]"), "", "begin and end"},
      {"one offset", 0, with("\"F32\"", "[2]", "[8]"), "", "begin and end"},
      {"missing key", 0, R"({"a": {"dtype": "F32", "shape": [2]}})", "", "expected dtype, shape"},
      {"unknown key", 0, R"({"a": {"strides": [2]}})", "", "expected dtype, shape"},
      {"null", 0, with("null", "[2]", "[0, 8]"), "", "found null"},
      {"deep nesting", 0, deep, "", "found an array"},
      {"overlap", 0,
       "{" + tensor + R"(, "b": {"dtype": "U8", "shape": [8], "data_offsets": [4, 12]}})", "",
       "'a' and 'b' overlap"},
      {"hole", 0,
       "{" + tensor + R"(, "b": {"dtype": "U8", "shape": [8], "data_offsets": [12, 20]}})", "",
       "belong to no tensor"},
      {"no tensor", 0, "{}", "", "names no tensor"},
      {"name not UTF-8", 0,
       "{\"\xff\": {\"dtype\": \"U8\", \"shape\": [0], \"data_offsets\": [0,0]}}", "", "not JSON"}};
  const shardmark::testing::TemporaryDirectory directory;
  const std::string path = directory.path() + "/broken.safetensors";
  for (const Broken& broken : all) {
    SCOPED_TRACE(broken.kind);
    write_file(path, broken.claimed == 0 ? broken.header.size() : broken.claimed,
               broken.header + broken.data);
    ModelOptions options;
    options.safetensors = path;
    const auto model = make_model(options);
    ASSERT_FALSE(model);
    EXPECT_EQ(model.error().code, ErrorCode::invalid_argument);
    EXPECT_THAT(model.error().message, HasSubstr(broken.why));
    EXPECT_THAT(model.error().message, HasSubstr("broken.safetensors"));
    EXPECT_LT(model.error().message.size(), 700U);
  }
  std::ofstream(path, std::ios::trunc) << "abc";
  EXPECT_THAT(read_safetensors_header(path).error().message, HasSubstr("begins with 8"));
  EXPECT_EQ(read_safetensors_header(path + "x").error().code, ErrorCode::not_found);
  EXPECT_FALSE(read_safetensors_header(directory.path())) << "a directory";
}

}  // namespace
}  // namespace shardmark
