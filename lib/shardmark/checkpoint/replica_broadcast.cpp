// SPDX-License-Identifier: Apache-2.0
#include "shardmark/checkpoint/replica_broadcast.hpp"

#include <algorithm>
#include <cstring>
#include <tuple>

namespace shardmark {
namespace {

constexpr int wanted_tag = 71;
constexpr int roles_tag = 72;

}  // namespace

Status ReplicaBroadcast::plan(const LoadPlan& plan, const EntryTable& entries) {
  ByteWriter wanted;
  encode_wanted_reads(plan, wanted);
  std::vector<std::byte> groups;
  std::vector<std::byte> roles;
  if (comm_.is_root()) {
    ReplicaMerge merge(entries, comm_.size());
    Status heard = merge.add(0, wanted.bytes());
    for (int rank = 1; rank < comm_.size(); ++rank) {
      const std::vector<std::byte> bytes = comm_.recv(rank, wanted_tag);
      heard = heard ? merge.add(rank, bytes) : heard;
    }
    SHARDMARK_RETURN_IF_ERROR(comm_.agree(heard));
    merge.finish();
    ByteWriter out;
    encode(merge.groups(), out);
    groups = std::move(out).take();
    for (int rank = comm_.size() - 1; rank >= 0; --rank) {
      ByteWriter of_rank;
      merge.encode_roles(rank, of_rank);
      roles = std::move(of_rank).take();
      if (rank > 0) {
        comm_.send(roles, rank, roles_tag);
      }
    }
  } else {
    comm_.send(wanted.bytes(), 0, wanted_tag);
    SHARDMARK_RETURN_IF_ERROR(comm_.agree({}));
    roles = comm_.recv(0, roles_tag);
  }
  comm_.broadcast(groups);
  auto known = decode_replica_groups(groups, comm_.size());
  Status decoded(known);
  if (known) {
    groups_ = std::move(*known);
    auto own = decode_roles(roles, groups_, comm_.rank(), plan.reads.size());
    decoded = Status(own);
    if (own) {
      roles_ = std::move(*own);
    }
  }
  return comm_.agree(decoded);
}

void ReplicaBroadcast::distribute(std::span<const ReadTask> tasks) {
  std::vector<std::vector<std::size_t>> numbers(groups_.size());
  for (std::size_t i = 0; i < roles_.size(); ++i) {
    if (roles_[i].group != ReadRole::alone) {
      numbers[roles_[i].group].push_back(i);
    }
  }
  // Every rank goes through its groups by ascending number: no two wait for each other.
  for (std::uint32_t group = 0; group < groups_.size(); ++group) {
    if (numbers[group].empty()) {
      continue;
    }
    // One order for all members, whatever the order of their reads.
    std::ranges::sort(numbers[group], {}, [&](std::size_t i) {
      const PlannedRead& read = *tasks[i].read;
      return std::tuple(read.entry, read.chunk, read.box);
    });
    distribute_group(group, tasks, numbers[group]);
  }
}

void ReplicaBroadcast::distribute_group(std::uint32_t group, std::span<const ReadTask> tasks,
                                        std::span<const std::size_t> numbers) {
  const auto& ranks = groups_[group];
  Communicator members = comm_.of_ranks(ranks);
  for (const std::size_t i : numbers) {
    const auto reader = std::lower_bound(ranks.begin(), ranks.end(), roles_[i].reader);
    send_piece(members, static_cast<int>(reader - ranks.begin()), tasks[i].elements);
  }
  members.close();
}

void ReplicaBroadcast::send_piece(const Communicator& group, int reader,
                                  const TensorView& elements) {
  const auto itemsize = static_cast<std::size_t>(element_size(elements.dtype));
  const bool receives = group.rank() != reader;
  const std::int64_t most = max_staging_bytes / element_size(elements.dtype);
  // The members' views may have different strides: the slices are the same on all.
  for_each_slab(whole_box(elements.sizes), most, [&](const Box& slab) {
    const TensorView part = elements.subview(slab);
    const auto num_bytes = static_cast<std::size_t>(part.num_bytes());
    bytes_received_ += receives ? part.num_bytes() : 0;
    if (part.is_contiguous()) {
      group.broadcast(std::span(part.data, num_bytes), reader);
      return;
    }
    staging_.resize(std::max(staging_.size(), num_bytes));
    std::byte* at = staging_.data();
    const auto copy = [&](std::byte* run, std::int64_t count) {
      const std::size_t length = static_cast<std::size_t>(count) * itemsize;
      receives ? std::memcpy(run, at, length) : std::memcpy(at, run, length);
      at += length;
    };
    if (!receives) {
      for_each_contiguous_run(part, copy);
    }
    group.broadcast(std::span(staging_.data(), num_bytes), reader);
    if (receives) {
      for_each_contiguous_run(part, copy);
    }
  });
}

}  // namespace shardmark
