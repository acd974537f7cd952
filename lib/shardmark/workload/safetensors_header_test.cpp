// SPDX-License-Identifier: Apache-2.0
// Headers that break their format are refused, each by its own words.
#include "shardmark/workload/safetensors_header.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "shardmark/testing/temporary_directory.hpp"
#include "shardmark/workload/safetensors_test_fixture.hpp"

namespace shardmark {
namespace {

using ::testing::HasSubstr;
using namespace safetensors_test;

struct Broken {
  const char* kind;
  std::uint64_t claimed;  // 0: the header's own length
  std::string header;
  std::string data;
  const char* why;
};

TEST(SafetensorsHeader, BrokenHeadersAreRefused) {
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
  const std::string pipe = directory.path() + "/pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const auto refused = read_safetensors_header(pipe);  // opening it would wait for a writer
  ASSERT_FALSE(refused);
  EXPECT_EQ(exit_code(refused.error().code), 2);
  EXPECT_THAT(refused.error().message, HasSubstr("no regular file"));
}

TEST(SafetensorsHeader, WhatMetadataHoldsIsPassedOver) {
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

}  // namespace
}  // namespace shardmark
