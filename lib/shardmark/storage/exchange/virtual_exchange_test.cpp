// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/exchange/virtual_exchange.hpp"

#include <gtest/gtest.h>

#include "shardmark/storage/exchange/write_test_fixture.hpp"

namespace shardmark {
namespace {

// Messages and bytes of ranks that write, rank by rank.
TEST(VirtualExchange, SendsWhatRanksSend) {
  RandomSource random;
  for (int round = 0; round < 8; ++round) {
    const int ranks_a_node = 1 + static_cast<int>(random.number(2));
    WriteScene scene(5);
    scene.write_block *= random.one_in(2) ? 1 : 4;
    if (random.one_in(2)) {
      scene.file_of_rank = {1, 1, 1, 2, 2};
      scene.add_file(random, 2);
    }
    scene.add_file(random, 1);
    scene.add_file(random, 0);
    std::ranges::sort(scene.files, {}, &ExchangedFile::file);
    const std::int64_t least_own_bytes =
        random.one_in(2) ? SharedStaging::block_bytes : write_slot_bytes / 4;
    if (random.one_in(2)) {
      scene.striping = {{{0, INT64_MAX, write_slot_bytes, 1 + random.number(4)}}};
      scene.objects_apart = random.one_in(2);
    }
    scene.write_on_nodes(random, ranks_a_node, least_own_bytes, false);
    const auto traffic =
        count_traffic({scene.files, scene.dealing(), write_slot_bytes, least_own_bytes,
                       scene.striping, scene.write_block},
                      [&](int rank) { return scene.transfers[static_cast<std::size_t>(rank)]; });
    std::int64_t all = 0;
    for (std::size_t rank = 0; rank < traffic.size(); ++rank) {
      EXPECT_EQ(traffic[rank],
                (ExchangeTraffic{scene.counters[rank].messages, scene.counters[rank].bytes_sent}))
          << rank;
      all += traffic[rank].messages;
    }
    EXPECT_EQ(scene.messages->messages(), all);
  }
}

}  // namespace
}  // namespace shardmark
