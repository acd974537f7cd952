// SPDX-License-Identifier: Apache-2.0
#include "bench/ceiling/raw_pieces.hpp"

#include <unistd.h>

#include <atomic>
#include <cerrno>
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
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;
  Status failed;
  const auto work = [&] {
    for (std::size_t i = next++; i < pieces.size(); i = next++) {
      if (const Status moved = move(pieces[i]); !moved) {
        const std::scoped_lock lock(mutex);
        failed = failed ? moved : failed;
        next = pieces.size();
      }
    }
  };
  std::vector<std::jthread> helpers;
  for (int t = 1; t < threads; ++t) {
    helpers.emplace_back(work);
  }
  work();
  helpers.clear();
  return failed;
}

Status fsync_all(const RawFiles& files) {
  for (std::size_t i = 0; i < files.files.size(); ++i) {
    if (files.files[i] && ::fsync(files.files[i].get()) != 0) {
      return errno_error("cannot fsync", files.paths[i], errno);
    }
  }
  return {};
}

}  // namespace shardmark::bench
