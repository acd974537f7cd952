// SPDX-License-Identifier: Apache-2.0
#include "bench/peers/peer_messages.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace shardmark::bench {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr const char* report =
    R"({"state": "report", "own_s": 1.5, "num_bytes": 10, "files": ["a"], "synced": true, "returned_s": null, "verified": null, "peak_memory_bytes": 7})";

std::string changed(const std::string& key, const nlohmann::json& value) {
  auto json = nlohmann::json::parse(report);
  json[key] = value;
  return json.dump();
}

TEST(PeerMessages, AskForBoxes) {
  const std::vector<PeerPart> parts = {{"a.w", "bfloat16", {8, 4}, {4, 0}, {4, 4}}};
  const std::string line = request_line({.saves = false,
                                         .rank = 1,
                                         .ranks = 2,
                                         .nodes = 1,
                                         .program = "/bin/x",
                                         .directory = "/d",
                                         .num_bytes = 32,
                                         .meeting = "/m",
                                         .piece_bytes = 4096,
                                         .threads = 2,
                                         .parts = parts});
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const auto json = nlohmann::json::parse(line);
  EXPECT_EQ(json["operation"], "load");
  EXPECT_EQ(json["num_bytes"], 32);
  EXPECT_EQ(json["piece_bytes"], 4096);
  EXPECT_EQ(json["threads"], 2);
  EXPECT_EQ(json["parts"].dump(), R"([["a.w","bfloat16",[8,4],[4,0],[4,4]]])");
}

TEST(PeerMessages, TellWhatWasReported) {
  const auto made = parse_report(report);
  ASSERT_TRUE(made);
  EXPECT_DOUBLE_EQ(made->own_s, 1.5);
  EXPECT_EQ(made->num_bytes, 10);
  EXPECT_THAT(made->files, ElementsAre("a"));
  EXPECT_EQ(made->synced, true);
  EXPECT_EQ(made->returned_s, std::nullopt);
  EXPECT_EQ(made->peak_memory_bytes, 7);
  EXPECT_TRUE(parse_done(R"({"state": "done"})"));
  EXPECT_THAT(*parse_ready(R"({"state": "ready", "files": ["x", "y"]})"), ElementsAre("x", "y"));
}

TEST(PeerMessages, RefuseTimesThatCannotBe) {
  for (const nlohmann::json& value : {nlohmann::json(0), nlohmann::json(-1), nlohmann::json(1e10),
                                      nlohmann::json("1"), nlohmann::json(nullptr)}) {
    EXPECT_FALSE(parse_report(changed("own_s", value))) << value;
  }
  EXPECT_FALSE(parse_report(changed("num_bytes", -1)));
  EXPECT_FALSE(parse_report(changed("num_bytes", 1.5)));
  EXPECT_FALSE(parse_report(changed("files", {1})));
}

TEST(PeerMessages, HandOnTheReasonOfAFailure) {
  const auto none = parse_report(R"({"state": "failed", "reason": "no async_save"})");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().message, "no async_save");
}

TEST(PeerMessages, ShowWhatIsNoAnswer) {
  for (const char* line : {"Segmentation fault", "", "[]", "7", R"({"state": 7})",
                           R"({"state": "ready"})", "{\"state\": \"done\"", "\xff\xfe"}) {
    const auto none = parse_report(line);
    ASSERT_FALSE(none) << line;
    EXPECT_THAT(none.error().message, StartsWith("it answered '"));
    EXPECT_TRUE(!parse_engines(line) || std::string_view(line) == "[]") << line;
  }
  EXPECT_THAT(parse_report(std::string(500, 'x')).error().message, HasSubstr("xxx...', expected"));
}

TEST(PeerMessages, ListEngines) {
  const auto engines = parse_engines(
      R"([{"name": "a", "python": "p", "program": "/a", "missing": null, "o_direct": true, "operations": ["save"]},
          {"name": "b", "python": "p", "program": "", "missing": "b is not on PATH", "o_direct": false, "operations": ["save", "load"]}])");
  ASSERT_TRUE(engines);
  ASSERT_EQ(engines->size(), 2U);
  EXPECT_TRUE((*engines)[0].o_direct);
  EXPECT_TRUE((*engines)[0].saves);
  EXPECT_FALSE((*engines)[0].loads);
  EXPECT_FALSE((*engines)[0].missing);
  EXPECT_EQ((*engines)[1].missing, "b is not on PATH");
}

}  // namespace
}  // namespace shardmark::bench
