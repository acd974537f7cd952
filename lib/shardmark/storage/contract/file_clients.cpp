// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/contract/file_clients.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <unordered_map>

#include "shardmark/core/by_rank.hpp"
#include "shardmark/storage/posix/file_system.hpp"

namespace shardmark {
namespace {

/// By rank, numbered by the lowest rank that has the same identity.
std::vector<int> number_clients(const std::vector<std::uint64_t>& identities) {
  std::unordered_map<std::uint64_t, int> number_of;
  std::vector<int> clients;
  clients.reserve(identities.size());
  for (const std::uint64_t identity : identities) {
    clients.push_back(
        number_of.emplace(identity, static_cast<int>(number_of.size())).first->second);
  }
  return clients;
}

}  // namespace

std::vector<int> FileClients::witnesses() const {
  std::vector<std::vector<int>> ranks(static_cast<std::size_t>(count));  // by client
  std::vector<std::size_t> place;                                        // by rank, in its client
  for (std::size_t rank = 0; rank < client_of_rank.size(); ++rank) {
    std::vector<int>& own = ranks[static_cast<std::size_t>(client_of_rank[rank])];
    place.push_back(own.size());
    own.push_back(static_cast<int>(rank));
  }
  std::vector<int> witnesses;
  for (std::size_t rank = 0; rank < client_of_rank.size(); ++rank) {
    const auto next = static_cast<std::size_t>((client_of_rank[rank] + 1) % count);
    witnesses.push_back(ranks[next][place[rank] % ranks[next].size()]);
  }
  return witnesses;
}

Result<FileClients> FileClients::discover(const std::string& directory, Coherence coherence,
                                          const Communicator& comm) {
  const auto own = cache_identity(directory);
  SHARDMARK_RETURN_IF_ERROR(comm.agree(Status(own)));
  std::uint64_t identity = *own;
  if (coherence != Coherence::automatic) {
    identity = coherence == Coherence::no ? static_cast<std::uint64_t>(comm.rank()) : 0;
  }
  const FileSystemKind traits = file_system_kind(directory);
  // The complement makes a minimum of the second; one bit of each trait, lacking on any rank.
  std::array<std::uint64_t, 5> most = {identity, ~identity, traits.local ? 0U : 1U,
                                       traits.knows_holes ? 0U : 1U,
                                       static_cast<std::uint64_t>(sharing_block())};
  comm.all_reduce(most, MPI_MAX);
  FileClients clients;
  clients.local = most[2] == 0;
  clients.knows_holes = most[3] == 0;
  clients.block_bytes = static_cast<std::int64_t>(most[4]);
  if (most[0] == ~most[1]) {
    return clients;
  }
  std::vector<std::uint64_t> identities(static_cast<std::size_t>(comm.size()), 0);
  of_rank(identities, comm.rank()) = identity;
  comm.all_reduce(identities, MPI_MAX);
  clients.client_of_rank = number_clients(identities);
  for (const int client : clients.client_of_rank) {
    clients.count = std::max(clients.count, client + 1);
  }
  return clients;
}

}  // namespace shardmark
