// SPDX-License-Identifier: Apache-2.0
// Nobody knows who will send: every message comes once, in its order, and none is left behind.
#include "shardmark/mpi/message_box.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <thread>
#include <tuple>
#include <utility>

#include "shardmark/testing/mpi_world.hpp"

namespace shardmark {
namespace {

using shardmark::testing::world;
using ::testing::ElementsAre;

struct Posted {
  int to = 0;
  int tag = 0;
  std::vector<std::byte> bytes;
};

/// What a rank posts: any rank can tell. From nothing to what MPI sends by rendezvous.
std::vector<Posted> posts_of(int rank, unsigned round) {
  std::mt19937 random(1000 * round + static_cast<unsigned>(rank));
  std::vector<Posted> posts;
  for (std::uint64_t left = random() % 40; left > 0 && world().size() > 1; --left) {
    const int to = static_cast<int>(random() % static_cast<std::uint64_t>(world().size()));
    const std::size_t size = random() % (random() % 4 == 0 ? 200'000U : 200U);
    if (to != rank) {
      posts.push_back({to, static_cast<int>(random() % 3),
                       std::vector<std::byte>(size, static_cast<std::byte>(random()))});
    }
  }
  return posts;
}

void nap_unless(bool busy) {
  if (!busy) {
    std::this_thread::sleep_for(MessageBox::nap);
  }
}

std::unique_ptr<MpiMessageBox> box() {
  auto made = MpiMessageBox::make(world());
  EXPECT_TRUE(made.has_value());
  return std::move(*made);
}

TEST(MessageBox, EveryMessageComesOnceAndInItsOrder) {
  for (unsigned round = 0; round < 20; ++round) {
    const auto messages = box();
    for (Posted& post : posts_of(world().rank(), round)) {
      messages->post(post.to, post.tag, std::move(post.bytes));
    }
    std::map<std::pair<int, int>, std::vector<std::vector<std::byte>>> taken;  // by sender and tag
    while (!messages->all_taken()) {
      auto message = messages->take_any();
      nap_unless(message.has_value());
      if (message) {
        taken[{message->from, message->tag}].push_back(std::move(message->bytes));
      }
    }
    std::map<std::pair<int, int>, std::vector<std::vector<std::byte>>> expected;
    for (int rank = 0; rank < world().size(); ++rank) {
      for (Posted& post : posts_of(rank, round)) {
        if (post.to == world().rank()) {
          expected[{rank, post.tag}].push_back(std::move(post.bytes));
        }
      }
    }
    EXPECT_EQ(taken, expected) << "round " << round;
    EXPECT_EQ(messages->pending_bytes(), 0);
    EXPECT_FALSE(messages->take_any());
  }
}

TEST(MessageBox, TakesWhatIsAskedForAndCountsWhatIsPending) {
  if (world().size() == 1) {
    GTEST_SKIP() << "nobody to send to";
  }
  const auto messages = box();
  const int next = (world().rank() + 1) % world().size();
  messages->post(next, 5, std::vector<std::byte>(100'000));
  messages->post(next, 2, std::vector<std::byte>(7));
  EXPECT_EQ(messages->pending_bytes(), 100'007) << "nobody can have begun to take any";
  world().barrier();
  std::vector<std::pair<int, std::size_t>> taken;
  for (const int tag : {2, 5}) {
    std::optional<MessageBox::Message> message;
    while (!(message = messages->take(tag))) {
      EXPECT_FALSE(messages->take(tag + 1));
      nap_unless(false);
    }
    taken.emplace_back(message->tag, message->bytes.size());
  }
  EXPECT_THAT(taken, ElementsAre(std::pair(2, 7U), std::pair(5, 100'000U)));
  while (!messages->all_taken()) {
    EXPECT_FALSE(messages->take_any());
    nap_unless(false);
  }
  EXPECT_EQ(messages->waiting(), std::nullopt);
}

// A rank that fails posts no more and takes nothing; whoever waits for it hears of it.
TEST(MessageBox, WhoFailsLeavesWithAllOthersAndNothingBehind) {
  constexpr int failed_tag = 9;
  for (int failing = 0; failing < world().size(); ++failing) {
    const auto messages = box();
    const bool fails = world().rank() == failing;
    for (Posted& post : posts_of(world().rank(), 77)) {
      if (!fails) {
        messages->post(post.to, post.tag, std::move(post.bytes));
      }
    }
    while (!fails && !messages->take(failed_tag)) {
      nap_unless(false);
    }
    part(*messages, fails, failed_tag);
    EXPECT_FALSE(messages->take_any());
    const auto after = box();
    EXPECT_FALSE(after->take_any());
    part(*after, false, failed_tag);
  }
}

TEST(MessageBox, TwoBoxesKnowNothingOfEachOther) {
  if (world().size() == 1) {
    GTEST_SKIP() << "nobody to send to";
  }
  const auto first = box();
  const auto second = box();
  const int next = (world().rank() + 1) % world().size();
  first->post(next, 1, std::vector<std::byte>(3));
  world().barrier();
  EXPECT_FALSE(second->take_any());
  part(*second, false, 0);
  while (!first->take(1)) {
    nap_unless(false);
  }
  part(*first, false, 0);
}

}  // namespace
}  // namespace shardmark
