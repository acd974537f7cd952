// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "bench/ceiling/ceiling_memory.hpp"
#include "shardmark/storage/posix/file.hpp"

namespace shardmark::bench {

/// Files that are open for raw transfers.
struct RawFiles {
  std::vector<std::string> paths;
  std::vector<FileDescriptor> files;  // by CeilingPiece::file; closed where nothing is wanted of it
};

/// Local. Opens those of `paths` that `pieces` touch. `flags` as for open(2).
Result<RawFiles> open_raw_files(std::vector<std::string> paths, int flags,
                                std::span<const CeilingPiece> pieces);

/// Local. Calls `move` once for every piece, on `threads` threads, each with a run of consecutive
/// pieces: neighbours under way at the same time cost some disks a third of their rate. The first
/// failure ends all of them.
Status for_each_piece(std::span<const CeilingPiece> pieces, int threads,
                      const std::function<Status(const CeilingPiece&)>& move);

/// Local. fsync of all open files.
Status fsync_all(const RawFiles& files);

}  // namespace shardmark::bench
