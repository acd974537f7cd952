// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/direct/write_proof.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include "shardmark/core/checksum.hpp"
#include "shardmark/core/rounding.hpp"
#include "shardmark/storage/posix/space.hpp"

namespace shardmark {
namespace {

constexpr int claims_tag = 15;

/// True if the task's piece has bytes that nobody writes.
bool is_padded(const StoredPiece& piece, const PlannedWrite& write, const Entry& entry) {
  return piece.sizes != entry.sizes && piece.sizes != write.box.sizes;
}

/// The tasks of one rank, with what has to be known of each.
class Proof {
 public:
  Proof(const PlacedFiles& files, const WrittenTasks& written) : files_(files), written_(written) {}

  /// Files in which a hole lies where this rank has written, or that do not tell.
  Result<std::set<std::uint64_t>> doubtful_files() const {
    std::map<std::uint64_t, std::set<std::pair<std::int64_t, std::int64_t>>> ranges;  // by file
    std::set<std::uint64_t> doubtful;
    for (std::size_t i = 0; i < written_.tasks.size(); ++i) {
      const StoredPiece& piece = piece_of(i);
      if (!files_.detects_holes) {
        doubtful.insert(piece.file);
      } else if (!is_padded(piece, write_of(i), entry_of(i))) {
        ranges[piece.file].emplace(piece.address, volume(piece.sizes) * itemsize_of(i));
      }
    }
    for (const auto& [file, pieces] : ranges) {
      std::vector<FileRange> list;
      for (const auto& [address, num_bytes] : pieces) {
        list.push_back({files_.paths[file], address, num_bytes});
      }
      SHARDMARK_ASSIGN_OR_RETURN(const bool whole, is_without_holes(files_.paths[file], list));
      if (!whole) {
        doubtful.insert(file);
      }
    }
    return doubtful;
  }

  /// Whatever holes do not prove.
  std::vector<WrittenClaim> claims(const std::set<std::uint64_t>& doubtful) const {
    std::vector<WrittenClaim> claims;
    for (std::size_t i = 0; i < written_.tasks.size(); ++i) {
      const std::int64_t num_bytes = written_.tasks[i].elements.num_bytes();
      // A smaller one may lie in pages that somebody else has written, where a loss leaves no hole.
      if (doubtful.contains(piece_of(i).file) || num_bytes <= 2 * files_.clients.block_bytes ||
          is_padded(piece_of(i), write_of(i), entry_of(i))) {
        claims.push_back(claim_of(i));
      } else if (files_.clients.several()) {
        claim_shared_pages(i, claims);
      }
    }
    claim_checksums(claims);
    return claims;
  }

 private:
  const StoredPiece& piece_of(std::size_t i) const { return files_.pieces[written_.first + i]; }
  const PlannedWrite& write_of(std::size_t i) const { return *written_.tasks[i].write; }
  const Entry& entry_of(std::size_t i) const {
    return written_.entries->entries[write_of(i).entry];
  }
  std::int64_t itemsize_of(std::size_t i) const { return element_size(entry_of(i).dtype); }
  std::string name_of(std::size_t i) const {
    return fmt::format("'{}': chunk {}", entry_of(i).fqn, to_string(write_of(i).box));
  }

  WrittenClaim claim_of(std::size_t i) const {
    const std::uint64_t checksum =
        written_.checksums.empty() ? xxh3(written_.tasks[i].elements) : written_.checksums[i];
    return {piece_of(i), write_of(i).box, itemsize_of(i), checksum, name_of(i)};
  }

  /// The two ends of what lies in one piece; all of what does not.
  void claim_shared_pages(std::size_t i, std::vector<WrittenClaim>& claims) const {
    const ConstTensorView& elements = written_.tasks[i].elements;
    std::int64_t first = 0;
    int runs = 0;
    for_each_run(
        relative_to(write_of(i).box, piece_of(i).offsets), piece_of(i).sizes,
        [&](std::int64_t element, std::int64_t) { first = runs++ == 0 ? element : first; });
    if (runs != 1 || !elements.is_contiguous()) {
      claims.push_back(claim_of(i));
      return;
    }
    const std::int64_t page = files_.clients.block_bytes;
    const std::int64_t begin = piece_of(i).address + first * itemsize_of(i);
    const std::int64_t end = begin + elements.num_bytes();
    const std::int64_t first_end = round_up(begin, page);
    const std::int64_t last_begin = round_down(end, page);
    for (const auto& [from, to] : {std::pair(begin, first_end), std::pair(last_begin, end)}) {
      if (from < to) {
        const std::span bytes(elements.data + (from - begin), static_cast<std::size_t>(to - from));
        claims.push_back(
            claim_of_bytes(piece_of(i).file, from, to - from, xxh3(bytes), name_of(i)));
      }
    }
  }

  void claim_checksums(std::vector<WrittenClaim>& claims) const {
    for (const ChecksumRun& run : checksum_runs(files_, written_)) {
      claims.push_back(claim_of_bytes(
          0, run.address, static_cast<std::int64_t>(run.bytes.size()), xxh3(run.bytes),
          fmt::format("the checksum of '{}'", entry_of(run.first).fqn)));
    }
  }

  const PlacedFiles& files_;
  const WrittenTasks& written_;
};

/// Every rank's claims go to its witness. In the order of ranks, so that nobody waits in a circle.
Status check_by_witnesses(const PlacedFiles& files, std::span<const WrittenClaim> own,
                          const Communicator& comm) {
  std::vector<WrittenClaim> others;
  Status status;
  const std::vector<int> witnesses = files.clients.witnesses();
  for (int rank = 0; rank < comm.size(); ++rank) {
    const int witness = witnesses[static_cast<std::size_t>(rank)];
    if (rank == comm.rank()) {
      comm.send(encode(own), witness, claims_tag);
    } else if (witness == comm.rank()) {
      auto claims = decode_claims(comm.recv(rank, claims_tag));
      status = status ? Status(claims) : status;
      if (claims) {
        std::move(claims->begin(), claims->end(), std::back_inserter(others));
      }
    }
  }
  return status ? check_claims(others, files.paths, ReadFrom::storage) : status;
}

/// What a user can do about bytes that clients have taken from each other.
Status with_a_way_out(const Status& status, const PlacedFiles& files) {
  if (status) {
    return status;
  }
  return Error{
      status.error().code,
      fmt::format(
          "{}. The ranks see it through {} clients of its file system, which lose each other's bytes in pages that they share: storage.layout = \"per-rank\" with storage.io = \"direct\", and storage.backend = \"posix\", share fewest",
          status.error().message, files.clients.count),
      status.error().rank};
}

}  // namespace

Status prove_written(const PlacedFiles& files, const WrittenTasks& written,
                     std::vector<WrittenClaim> more, const Communicator& comm) {
  const Proof proof(files, written);
  const auto doubtful = proof.doubtful_files();
  std::vector<WrittenClaim> claims = std::move(more);
  if (doubtful) {
    std::vector<WrittenClaim> own = proof.claims(*doubtful);
    std::move(own.begin(), own.end(), std::back_inserter(claims));
  }
  Status status(doubtful);
  if (files.clients.several()) {
    const Status seen = check_by_witnesses(files, claims, comm);
    return status ? with_a_way_out(seen, files) : status;
  }
  return status ? check_claims(claims, files.paths, files.clients.proof_reads()) : status;
}

Result<std::vector<std::uint64_t>> hash_data_files(const PlacedFiles& files,
                                                   const Communicator& comm) {
  std::vector<std::uint64_t> hashes(files.paths.size(), 0);
  Status status;
  if (files.leads_own_file) {
    const std::string& path = files.paths[files.own_file];
    const auto hash = hash_outside(path, files.own_elements, files.clients.proof_reads());
    status = Status(hash);
    hashes[files.own_file] = hash ? *hash : 0;
  }
  SHARDMARK_RETURN_IF_ERROR(comm.agree(status));
  comm.all_reduce(hashes, MPI_BOR);
  return hashes;
}

}  // namespace shardmark
