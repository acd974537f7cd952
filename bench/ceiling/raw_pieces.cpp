// SPDX-License-Identifier: Apache-2.0
#include "bench/ceiling/raw_pieces.hpp"

#include <atomic>
#include <mutex>
#include <thread>
#include <utility>

namespace shardmark::bench {

Result<RawFiles> open_raw_files(std::vector<std::string> paths, int flags,
                                std::span<const CeilingPiece> pieces) {
  RawFiles raw;
  raw.files.resize(paths.size());
  for (const CeilingPiece& piece : pieces) {
    if (!raw.files[piece.file]) {
      SHARDMARK_ASSIGN_OR_RETURN(raw.files[piece.file], open_file(paths[piece.file], flags));
    }
  }
  raw.paths = std::move(paths);
  return raw;
}

Status for_each_piece(std::span<const CeilingPiece> pieces, int threads,
                      const std::function<Status(const CeilingPiece&)>& move) {
  std::atomic<bool> goes_on = true;
  std::mutex mutex;
  Status failed;
  const auto count = static_cast<std::size_t>(threads);
  const auto work = [&](std::size_t thread) {
    const auto begin_of = [&](std::size_t part) { return pieces.size() * part / count; };
    for (const CeilingPiece& piece :
         pieces.subspan(begin_of(thread), begin_of(thread + 1) - begin_of(thread))) {
      const Status moved = goes_on ? move(piece) : Status();
      if (!moved) {
        const std::scoped_lock lock(mutex);
        failed = failed ? moved : failed;
        goes_on = false;
      }
    }
  };
  std::vector<std::jthread> helpers;
  for (std::size_t t = 1; t < count; ++t) {
    helpers.emplace_back(work, t);
  }
  work(0);
  helpers.clear();
  return failed;
}

Status fsync_all(const RawFiles& files) {
  for (std::size_t i = 0; i < files.files.size(); ++i) {
    if (files.files[i]) {
      SHARDMARK_RETURN_IF_ERROR(fsync_file(files.files[i], files.paths[i]));
    }
  }
  return {};
}

}  // namespace shardmark::bench
