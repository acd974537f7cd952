// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/core/rounding.hpp"
#include "shardmark/mpi/communicator.hpp"
#include "shardmark/storage/format/storage_options.hpp"
#include "shardmark/storage/posix/page_residency.hpp"

namespace shardmark {

/// Through which clients of a file system the ranks see one directory: a kernel and a mount each,
/// with a page cache of its own. Clients of NFS, or of FUSE with a writeback cache, write back
/// whole pages as they have seen them, so ranks of different clients must not be at one page, and
/// what one of them reads is what it knows, not what is stored.
struct FileClients {
  int count = 1;
  std::vector<int> client_of_rank;  // numbered by lowest rank; empty where there is one
  bool local = true;        // the file system is this kernel's own: its cache tells the truth
  bool knows_holes = true;  // SEEK_HOLE may be believed
  /// That no two of them may be at: the largest sharing_block() of any rank.
  std::int64_t block_bytes = default_block_bytes;

  /// Writers must keep out of each other's pages.
  bool several() const noexcept { return count > 1; }
  /// Where a proof reads.
  ReadFrom proof_reads() const noexcept {
    return several() || !local ? ReadFrom::storage : ReadFrom::cache;
  }
  /// Local. By rank, who looks after what it has written: a rank of the next client, dealt evenly.
  /// Needs several().
  std::vector<int> witnesses() const;

  /// Collective; the same status on every rank, and the same answer. With Coherence::no every rank
  /// counts as a client of its own, with Coherence::yes all are one.
  static Result<FileClients> discover(const std::string& directory, Coherence coherence,
                                      const Communicator& comm);
};

}  // namespace shardmark
