// SPDX-License-Identifier: Apache-2.0
// What a process publishes of itself, as a watcher reads it.
#include "shardmark/core/progress.hpp"

#include <gtest/gtest.h>

#include <string>
#include <thread>

namespace shardmark {
namespace {

TEST(Progress, WhoeverWaitsForOthersWaitsUnlessACallIsUnderWay) {
  static Progress place;
  publish_progress_at(place);
  EXPECT_FALSE(waits_for_others(place));
  {
    const ScopedWait wait;
    EXPECT_TRUE(waits_for_others(place));
    const ScopedTransfer transfer;  // of another thread, say
    EXPECT_FALSE(waits_for_others(place));
  }
  EXPECT_FALSE(waits_for_others(place));
}

TEST(Progress, AHelperThatWaitsCountsOnlyWhereTheFirstThreadHandedOver) {
  static Progress place;
  publish_progress_at(place);
  std::thread([&] {
    const ScopedWait wait;
    EXPECT_FALSE(waits_for_others(place)) << "the first thread is at work";
    const ScopedHandOver handed_over;
    EXPECT_TRUE(waits_for_others(place));
  }).join();
  EXPECT_FALSE(waits_for_others(place));
}

TEST(Progress, BytesAndTensorAreThoseOfTheLastPlace) {
  static Progress first;
  static Progress second;
  publish_progress_at(first);
  note_bytes_moved(5);
  publish_progress_at(second);
  note_bytes_moved(7);
  note_tensor("model.embed");
  EXPECT_EQ(first.bytes_moved, 5);
  EXPECT_EQ(second.bytes_moved, 7);
  EXPECT_EQ(first.tensor.load(), "");
  EXPECT_EQ(second.tensor.load(), "model.embed");
}

TEST(PublishedText, HoldsWhatFitsAndNothingOfTheOneBefore) {
  PublishedText text;
  const std::string longest(PublishedText::max_bytes - 1, 'x');
  text.store(longest + "and more");
  EXPECT_EQ(text.load(), longest);
  for (const char* const shorter : {"seven..", "eight...", "", "nine....."}) {
    text.store(shorter);
    EXPECT_EQ(text.load(), shorter);
  }
}

}  // namespace
}  // namespace shardmark
