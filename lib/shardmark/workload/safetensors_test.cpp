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
  refuses("b.safetensors", "a.safetensors", "'layers.0.experts.0.w2' is not in a.safetensors");
  refuses("{\"metadata\"", "{\"x", "is not JSON");
  refuses("weight_map", "weights", "is not JSON with an object \"weight_map\"");
  refuses("layers.0.experts.1.w1", "layers.0.experts.0.w1", "names a tensor twice");
  refuses("\"layers.0.experts.0.w1\"", "\"zz\": \"b.safetensors\", \"layers.0.experts.0.w1\"",
          "tensor 'zz' is not in b.safetensors");
}

/// Header entries one behind another: name, dtype, shape, bytes.
struct Listed {
  std::string name;
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::uint64_t num_bytes;
};

void write_tensors(const std::string& path, const std::vector<Listed>& tensors,
                   const nlohmann::json& metadata = {{"format", "pt"}}) {
  nlohmann::ordered_json header;
  header["__metadata__"] = metadata;
  std::uint64_t end = 0;
  for (const Listed& t : tensors) {
    header[t.name] = {
        {"dtype", t.dtype}, {"shape", t.shape}, {"data_offsets", {end, end + t.num_bytes}}};
    end += t.num_bytes;
  }
  const std::string text = header.dump();
  write_file(path, text.size(), text);
}

Result<Model> read_model(const std::string& path, bool stacked = false) {
  ModelOptions options;
  options.safetensors = path;
  options.name = "file";
  options.stacked_experts = stacked;
  return make_model(options);
}

TEST(Safetensors, EveryPublishedDtypeIsHeldByItsWidth) {
  const shardmark::testing::TemporaryDirectory directory;
  const std::string path = directory.path() + "/x.safetensors";
  const std::vector<std::pair<Listed, std::pair<Dtype, std::string>>> cases = {
      {{"u16", "U16", {3, 4}, 24}, {Dtype::uint16, ""}},
      {{"u32", "U32", {3, 4}, 48}, {Dtype::uint32, ""}},
      {{"u64", "U64", {3, 4}, 96}, {Dtype::uint64, ""}},
      {{"c64", "C64", {3}, 24}, {Dtype::uint64, "C64"}},
      {{"e8m0", "F8_E8M0", {5}, 5}, {Dtype::uint8, "F8_E8M0"}},
      {{"fnuz", "F8_E4M3FNUZ", {5}, 5}, {Dtype::uint8, "F8_E4M3FNUZ"}},
      {{"fnuz2", "F8_E5M2FNUZ", {}, 1}, {Dtype::uint8, "F8_E5M2FNUZ"}},
      {{"f4", "F4", {3, 8}, 12}, {Dtype::uint8, "F4"}},
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

TEST(Safetensors, WhatMetadataHoldsIsPassedOver) {
  const shardmark::testing::TemporaryDirectory directory;
  const std::string path = directory.path() + "/x.safetensors";
  for (const nlohmann::json& metadata :
       {nlohmann::json(nullptr), nlohmann::json(3.5), nlohmann::json::array({1, nullptr, "x"}),
        nlohmann::json{{"a", {{"b", {1, 2, {{"c", true}}}}}}, {"d", nullptr}},
        nlohmann::json::object()}) {
    SCOPED_TRACE(metadata.dump());
    write_tensors(path, {{"a", "F32", {2}, 8}}, metadata);
    const auto model = read_model(path);
    ASSERT_TRUE(model) << model.error().message;
    EXPECT_EQ(model->tensors.size(), 1U);
  }
  nlohmann::json deep = 1;
  for (int i = 0; i < 100; ++i) {
    deep = nlohmann::json::array({deep});
  }
  write_tensors(path, {{"a", "F32", {2}, 8}}, deep);
  EXPECT_THAT(read_model(path).error().message, HasSubstr("nested too deep"));
}

TEST(Safetensors, AnIndexSelectsAndTheRestIsNoted) {
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

TEST(Safetensors, ExpertsOfAnyNumberAreStackedAndNoneVanishes) {
  const shardmark::testing::TemporaryDirectory directory;
  const std::string path = directory.path() + "/e.safetensors";
  write_tensors(path,
                {{"experts.0.w1", "BF16", {8, 8}, 128}, {"experts.1.w1", "BF16", {8, 8}, 128}});
  const auto first = read_model(path, true);
  ASSERT_TRUE(first) << first.error().message;
  ASSERT_EQ(first->tensors.size(), 1U);
  EXPECT_EQ(first->tensors[0].fqn, "experts.w1");
  EXPECT_EQ(first->tensors[0].shape, (Dims{2, 8, 8}));

  std::vector<Listed> some;
  for (const char* number : {"7", "3", "5", "4", "6"}) {
    some.push_back({std::string("model.layers.1.shared_experts.mlp.experts.") + number + ".w2",
                    "BF16",
                    {4, 6},
                    48});
  }
  write_tensors(path, some);
  const auto part = read_model(path, true);
  ASSERT_TRUE(part) << part.error().message;
  ASSERT_EQ(part->tensors.size(), 1U);
  EXPECT_EQ(part->tensors[0].fqn, "model.layers.1.shared_experts.mlp.experts.w2");
  EXPECT_EQ(num_bytes(part->tensors), 5 * 48) << "five experts, whatever their numbers";
  const auto apart = read_model(path);
  EXPECT_EQ(apart->tensors.size(), 5U);
  EXPECT_EQ(apart->tensors[0].expert, 4) << "number 7 is the last of five";
  EXPECT_EQ(apart->tensors[0].num_experts, 5);

  write_tensors(path,
                {{"experts.0.w1", "BF16", {8, 8}, 128}, {"experts.1.w1", "BF16", {8, 4}, 64}});
  EXPECT_THAT(read_model(path, true).error().message, HasSubstr("'experts.1.w1'"));
  EXPECT_TRUE(read_model(path)) << "unlike experts need not be stacked";
  write_tensors(path, {{"experts.0.w1", "BF16", {8}, 16}, {"experts.w1", "BF16", {8}, 16}});
  EXPECT_THAT(read_model(path, true).error().message, HasSubstr("name of another tensor"));
}

TEST(Safetensors, OptimizerStatesAreOfFloatingPointOnly) {
  const shardmark::testing::TemporaryDirectory directory;
  const std::string path = directory.path() + "/q.safetensors";
  write_tensors(path, {{"n", "I64", {}, 8},
                       {"w", "F32", {64}, 256},
                       {"q", "I32", {64, 64}, 16384},
                       {"mask", "BOOL", {64, 64}, 4096}});
  const auto model = read_model(path);
  ASSERT_TRUE(model) << model.error().message;
  const auto states = optimizer_tensors(*model);
  ASSERT_EQ(states.size(), 3U);
  EXPECT_EQ(states[0].fqn, "optimizer.state.w.master");
  EXPECT_EQ(num_bytes_with_optimizer(*model), 8 + 256 + 16384 + 4096 + 3 * 256);
}

TEST(Safetensors, TensorsMayHaveTheNamesOfObjects) {
  const shardmark::testing::TemporaryDirectory directory;
  WorkloadOptions options;
  options.model.name = "file";
  options.model.safetensors = directory.path() + "/s.safetensors";
  options.parallel.strategy = "fsdp";
  write_tensors(options.model.safetensors, {{"step", "I64", {}, 8}, {"w", "F32", {8}, 32}});
  auto workload = Workload::make(options, 0, 2, Memory::allocate);
  ASSERT_TRUE(workload) << workload.error().message;
  const auto* const tensor = workload->state_dict().find("step");
  ASSERT_NE(tensor, nullptr);
  EXPECT_NE(tensor->tensor, nullptr);
  ASSERT_NE(workload->state_dict().find("object.step"), nullptr);
  EXPECT_EQ(workload->state_dict().find("object.step")->tensor, nullptr);
  workload->fill(3);
  EXPECT_TRUE(workload->check(3));
  ASSERT_EQ(workload->notes().size(), 1U);
  // A filter changes no name: what a save called it a load of a part finds.
  options.filter = [](std::string_view fqn) { return fqn != "step"; };
  EXPECT_NE(Workload::make(options, 0, 2, Memory::none)->state_dict().find("object.step"), nullptr);
}

TEST(Safetensors, SumsPastTwoToThe63AreRefused) {
  const shardmark::testing::TemporaryDirectory directory;
  const std::string path = directory.path() + "/huge.safetensors";
  const std::int64_t rows = std::int64_t{1} << 60;
  write_tensors(path, {{"a", "F32", {rows}, std::uint64_t{1} << 62}});
  EXPECT_THAT(read_model(path).error().message, HasSubstr("2^63")) << "with its optimizer states";
  write_tensors(path, {{"a", "I32", {rows}, std::uint64_t{1} << 62},
                       {"b", "I32", {rows}, std::uint64_t{1} << 62}});
  EXPECT_THAT(read_model(path).error().message, HasSubstr("2^63"));
  write_tensors(path, {{"a", "I32", {rows}, std::uint64_t{1} << 62}});
  EXPECT_TRUE(read_model(path));
}

TEST(Safetensors, WhatIsLeftUncutIsSaid) {
  const shardmark::testing::TemporaryDirectory directory;
  WorkloadOptions options;
  options.model.name = "file";
  options.model.optimizer = "none";
  options.model.safetensors = directory.path() + "/g.safetensors";
  options.parallel.strategy = "megatron";
  write_tensors(options.model.safetensors, {{"h.0.attn.c_attn.weight", "F32", {96, 288}, 110592},
                                            {"h.0.mlp.c_fc.weight", "F32", {96, 384}, 147456}});
  const auto uncut = Workload::make(options, 0, 4, Memory::none);
  ASSERT_TRUE(uncut) << uncut.error().message;
  ASSERT_TRUE(uncut->uncut());
  EXPECT_EQ(uncut->uncut()->num_bytes, 110592 + 147456);
  ASSERT_EQ(uncut->notes().size(), 1U);
  EXPECT_THAT(uncut->notes()[0], HasSubstr("100 %"));
  EXPECT_THAT(uncut->notes()[0], HasSubstr("h.0.mlp.c_fc.weight"));
  write_tensors(options.model.safetensors, {{"layers.0.q_proj.weight", "F32", {96, 288}, 110592},
                                            {"norm.weight", "F32", {96}, 384}});
  const auto cut = Workload::make(options, 0, 4, Memory::none);
  EXPECT_EQ(cut->uncut()->num_bytes, 384);
  EXPECT_TRUE(cut->notes().empty());
  options.parallel.strategy = "fsdp";
  EXPECT_FALSE(Workload::make(options, 0, 4, Memory::none)->uncut());
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
      {"offsets past 2^63", 0, with("\"U8\"", "[1]", "[9223372036854775807, 9223372036854775808]"),
       "", "2^63"},
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
