// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/raw/staging_pool.hpp"

#include <sys/mman.h>

#include <cstdint>
#include <new>
#include <utility>

#include "shardmark/core/guarded_thread.hpp"
#include "shardmark/core/rounding.hpp"

namespace shardmark {

namespace {

constexpr auto piece_size = static_cast<std::size_t>(raw_piece_bytes);

/// Buffers that nobody uses now.
class KeptPieces {
 public:
  std::byte* take() {
    const std::lock_guard lock(mutex_);
    if (pieces_.empty()) {
      return nullptr;
    }
    std::byte* const piece = pieces_.back();
    pieces_.pop_back();
    return piece;
  }
  bool keep(std::byte* piece) {
    const std::lock_guard lock(mutex_);
    if (pieces_.size() == raw_staging_buffers) {
      return false;
    }
    pieces_.push_back(piece);
    return true;
  }

 private:
  std::mutex mutex_;
  std::vector<std::byte*> pieces_;
};

KeptPieces& kept_pieces() {
  static KeptPieces kept;
  return kept;
}

// O_DIRECT wants memory aligned as the file is, which may be by more than a page.
constexpr std::size_t piece_alignment = std::size_t{2} << 20;

std::byte* map_piece() {
  constexpr std::size_t mapped_size = piece_size + piece_alignment;
  void* const mapping =
      ::mmap(nullptr, mapped_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED) {
    throw std::bad_alloc();
  }
  auto* const begin = static_cast<std::byte*>(mapping);
  const std::size_t before =
      (piece_alignment - reinterpret_cast<std::uintptr_t>(begin) % piece_alignment) %
      piece_alignment;
  std::byte* const piece = begin + before;
  // What is given back was never touched.
  if (before > 0) {
    ::munmap(begin, before);
  }
  ::munmap(piece + piece_size, piece_alignment - before);
  static_cast<void>(::madvise(piece, piece_size, MADV_HUGEPAGE));  // a wish only
  return piece;
}

}  // namespace

std::int64_t straight_cut(std::int64_t offset, std::int64_t num_bytes) noexcept {
  constexpr std::int64_t mib = std::int64_t{1} << 20;
  const std::int64_t pieces = (num_bytes + straight_piece_bytes - 1) / straight_piece_bytes;
  if (pieces <= 1) {
    return offset + num_bytes;
  }
  return round_up(offset + num_bytes / pieces, mib);
}

StagingPiece::StagingPiece() : data_(kept_pieces().take()) {
  if (data_ == nullptr) {
    data_ = map_piece();
  }
}

StagingPiece::~StagingPiece() {
  if (data_ != nullptr && !kept_pieces().keep(data_)) {
    ::munmap(data_, piece_size);
  }
}

IoThreads::IoThreads(int threads) {
  // Those that the system gives do the work of all.
  for (int i = 0; i < threads && start_thread(threads_, [this] { serve(); }); ++i) {
  }
}

IoThreads::~IoThreads() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) {
    thread.join();
  }
}

void IoThreads::submit(std::function<void()> job) {
  if (threads_.empty()) {
    job();
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    jobs_.push(std::move(job));
  }
  wake_.notify_one();
}

void IoThreads::serve() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return ending_ || !jobs_.empty(); });
    if (jobs_.empty()) {
      return;
    }
    const std::function<void()> job = std::move(jobs_.front());
    jobs_.pop();
    lock.unlock();
    job();
    lock.lock();
  }
}

}  // namespace shardmark
