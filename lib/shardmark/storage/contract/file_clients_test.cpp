// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/contract/file_clients.hpp"

#include <gtest/gtest.h>

namespace shardmark {
namespace {

TEST(FileClients, ProofsReadStorageWhereCachesMayDiffer) {
  FileClients clients;
  EXPECT_FALSE(clients.several());
  EXPECT_EQ(clients.proof_reads(), ReadFrom::cache);
  clients.local = false;
  EXPECT_EQ(clients.proof_reads(), ReadFrom::storage);
  clients = {2, {0, 1}, true, true};
  EXPECT_TRUE(clients.several());
  EXPECT_EQ(clients.proof_reads(), ReadFrom::storage);
}

TEST(FileClients, AWitnessIsOfAnotherClientAndWitnessesShareTheWork) {
  EXPECT_EQ((FileClients{2, {0, 0, 0, 1, 1, 1}, true, true}.witnesses()),
            (std::vector<int>{3, 4, 5, 0, 1, 2}));
  EXPECT_EQ((FileClients{3, {0, 1, 0, 2, 0}, true, true}.witnesses()),
            (std::vector<int>{1, 3, 1, 0, 1}));
}

}  // namespace
}  // namespace shardmark
