// SPDX-License-Identifier: Apache-2.0
#include "shardmark/protocol/content_mark.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <utility>

namespace shardmark {
namespace {

struct Marked {
  int content = 0;
  [[no_unique_address]] ContentMark mark;
};

bool announces(const std::function<void()>& action) {
  const std::uint64_t before = ContentMark::epoch();
  action();
  return ContentMark::epoch() != before;
}

TEST(ContentMark, AnnouncesWhateverMayChangeAnObject) {
  Marked a{1, {}};
  Marked b{2, {}};
  std::optional<Marked> held(a);
  EXPECT_TRUE(announces([&] { a = b; }));
  EXPECT_TRUE(announces([&] { a = std::move(b); }));
  EXPECT_TRUE(announces([&] { std::swap(a, b); }));
  EXPECT_TRUE(announces([&] { const Marked taken(std::move(a)); }));
  EXPECT_TRUE(announces([&] { held.reset(); }));
  EXPECT_TRUE(announces([&] { ContentMark::announce(); }));
}

TEST(ContentMark, KeepsSilentWhereNothingChanges) {
  const Marked a{1, {}};
  std::optional<Marked> held;
  EXPECT_FALSE(announces([&] { held.emplace(a); }));
  EXPECT_FALSE(announces([&] { static_cast<void>(held->content); }));
}

}  // namespace
}  // namespace shardmark
