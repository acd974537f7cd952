// SPDX-License-Identifier: Apache-2.0
#include "shardmark/plan/load/replica_reads.hpp"

#include <algorithm>

#include "shardmark/core/by_rank.hpp"
#include "shardmark/plan/owners/dedup.hpp"

namespace shardmark {

void encode_wanted_reads(const LoadPlan& plan, ByteWriter& out) {
  out.varint(plan.reads.size());
  for (const PlannedRead& read : plan.reads) {
    out.varint(read.entry);
    out.varint(read.chunk);
    out.dims(read.box.offsets);
    out.dims(read.box.sizes);
  }
}

Status ReplicaMerge::add(int rank, std::span<const std::byte> bytes) {
  ByteReader in(bytes);
  const std::size_t num_reads = in.length(2);
  auto& wanted = wanted_.emplace_back();
  wanted.reserve(num_reads);
  for (std::size_t i = 0; i < num_reads && in.ok(); ++i) {
    const std::uint64_t number = in.varint();
    const std::uint64_t chunk = in.varint();
    if (number >= entries_.entries.size()) {
      in.fail("no such entry");
      break;
    }
    const Entry& entry = entries_.entries[number];
    Box box;
    box.offsets = in.dims(entry.sizes.ndim());
    box.sizes = in.dims(entry.sizes.ndim());
    if (in.ok() &&
        (chunk - entry.first_chunk >= entry.num_chunks || !contains(whole_box(entry.sizes), box))) {
      in.fail("no such piece");
    }
    if (!in.ok()) {
      break;
    }
    Piece& piece = pieces_[{static_cast<std::uint32_t>(number), chunk, box}];
    piece.num_bytes = box.num_elements() * element_size(entry.dtype);
    const bool twice = !piece.ranks.empty() && piece.ranks.back() == rank;
    if (!twice) {
      piece.ranks.push_back(rank);
    }
    // A piece that a rank wants in two places is read for the second one.
    wanted.push_back(twice ? nullptr : &piece);
  }
  if (in.ok() && !in.at_end()) {
    in.fail("bytes after the end");
  }
  return in.status("wanted reads");
}

void ReplicaMerge::finish() {
  DedupInput input;
  input.world_size = world_size_;
  // Who reads what is the same question as who writes what: the same balance answers it.
  std::map<std::vector<std::int32_t>, std::uint32_t> sets;
  for (const auto& [key, piece] : pieces_) {
    const auto [at, added] =
        sets.try_emplace(piece.ranks, static_cast<std::uint32_t>(input.holder_sets.size()));
    if (added) {
      input.holder_sets.push_back(piece.ranks);
    }
    input.chunk_bytes.push_back(piece.num_bytes);
    input.chunk_set.push_back(at->second);
  }
  std::map<std::uint32_t, std::uint32_t> group_of_set;
  const std::vector<std::int32_t> readers = assign_owners(input, DedupPolicy::balanced);
  std::size_t number = 0;
  for (auto& [key, piece] : pieces_) {
    const std::uint32_t set = input.chunk_set[number];
    const std::int32_t reader = readers[number++];
    // Counted for the balance above, since its reader has that work too; shared with nobody.
    if (piece.ranks.size() < 2) {
      continue;
    }
    const auto [at, added] =
        group_of_set.try_emplace(set, static_cast<std::uint32_t>(groups_.size()));
    if (added) {
      groups_.push_back(piece.ranks);
    }
    piece.role = {at->second, reader};
  }
}

void ReplicaMerge::encode_roles(int rank, ByteWriter& out) const {
  const auto& wanted = of_rank(wanted_, rank);
  out.varint(wanted.size());
  for (const Piece* piece : wanted) {
    if (piece == nullptr || piece->role.group == ReadRole::alone) {
      out.varint(0);
      continue;
    }
    out.varint(std::uint64_t{piece->role.group} + 1);
    out.varint(static_cast<std::uint64_t>(piece->role.reader));
  }
}

void encode(const ReplicaGroups& groups, ByteWriter& out) {
  out.varint(groups.size());
  for (const auto& ranks : groups) {
    out.varint(ranks.size());
    for (const std::int32_t rank : ranks) {
      out.varint(static_cast<std::uint64_t>(rank));
    }
  }
}

Result<ReplicaGroups> decode_replica_groups(std::span<const std::byte> bytes, int world_size) {
  ByteReader in(bytes);
  ReplicaGroups groups(in.length(3));
  for (auto& ranks : groups) {
    const std::size_t size = in.length();
    for (std::size_t i = 0; i < size && in.ok(); ++i) {
      const std::int64_t rank = in.count(world_size - 1);
      if (in.ok() && !ranks.empty() && rank <= ranks.back()) {
        in.fail("ranks out of order");
      }
      ranks.push_back(static_cast<std::int32_t>(rank));
    }
    if (in.ok() && ranks.size() < 2) {
      in.fail("group of fewer than two ranks");
    }
  }
  if (in.ok() && !in.at_end()) {
    in.fail("bytes after the end");
  }
  SHARDMARK_RETURN_IF_ERROR(in.status("groups of readers"));
  return groups;
}

Result<std::vector<ReadRole>> decode_roles(std::span<const std::byte> bytes,
                                           const ReplicaGroups& groups, int rank,
                                           std::size_t num_reads) {
  ByteReader in(bytes);
  std::vector<ReadRole> roles(in.length());
  if (in.ok() && roles.size() != num_reads) {
    in.fail("another number of reads");
  }
  // A role that does not fit would leave ranks in different broadcasts, waiting for ever.
  const auto is_in = [&](std::uint32_t group, std::int64_t wanted) {
    return std::binary_search(groups[group].begin(), groups[group].end(), wanted);
  };
  for (ReadRole& role : roles) {
    const std::uint64_t group = in.ok() ? in.varint() : 0;
    if (group == 0) {
      continue;
    }
    if (group > groups.size()) {
      in.fail("no such group");
      break;
    }
    role.group = static_cast<std::uint32_t>(group - 1);
    const std::int64_t reader = in.count(INT32_MAX);
    if (in.ok() && (!is_in(role.group, rank) || !is_in(role.group, reader))) {
      in.fail("not in the group");
    }
    role.reader = static_cast<std::int32_t>(reader);
  }
  if (in.ok() && !in.at_end()) {
    in.fail("bytes after the end");
  }
  SHARDMARK_RETURN_IF_ERROR(in.status("roles of readers"));
  return roles;
}

}  // namespace shardmark
