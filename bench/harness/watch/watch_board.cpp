// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/watch/watch_board.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <new>
#include <random>
#include <system_error>

namespace shardmark::bench {
namespace {

Error cannot(const char* what) {
  return {ErrorCode::io_error, fmt::format("cannot {} the memory that a node's ranks and their "
                                           "watcher share: {}",
                                           what, std::generic_category().message(errno))};
}

}  // namespace

std::int64_t board_time_ns() noexcept {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

Result<std::unique_ptr<WatchBoard>> WatchBoard::map(int file) {
  void* const memory =
      ::mmap(nullptr, sizeof(Contents), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (memory == MAP_FAILED) {
    const Error error = cannot("map");
    ::close(file);
    return error;
  }
  return std::unique_ptr<WatchBoard>(new WatchBoard(file, memory));
}

Result<std::unique_ptr<WatchBoard>> WatchBoard::make() {
  const int file = ::memfd_create("shardmark-watch", MFD_CLOEXEC);
  if (file < 0) {
    return cannot("make");
  }
  if (::ftruncate(file, static_cast<off_t>(sizeof(Contents))) != 0) {
    const Error error = cannot("make");
    ::close(file);
    return error;
  }
  SHARDMARK_ASSIGN_OR_RETURN(auto board, map(file));
  std::random_device random;
  // Only the first slot is made here: the pages of the others stay untouched until a rank comes.
  Header& header = *new (&board->contents_->header) Header;
  header.id = (std::uint64_t{random()} << 32) | random();
  board->take_slot(0);
  return board;
}

Result<std::unique_ptr<WatchBoard>> WatchBoard::join(const std::string& path, std::uint64_t id) {
  const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  if (file < 0) {
    return cannot("open");
  }
  if (::lseek(file, 0, SEEK_END) != static_cast<off_t>(sizeof(Contents))) {
    ::close(file);
    return Error{ErrorCode::io_error, path + " is another file"};
  }
  SHARDMARK_ASSIGN_OR_RETURN(auto board, map(file));
  if (board->header().id != id) {
    return Error{ErrorCode::io_error, path + " is another board"};
  }
  return board;
}

RankSlot& WatchBoard::take_slot(std::size_t number) noexcept {
  return *new (&contents_->slots[number]) RankSlot;
}

WatchBoard::~WatchBoard() {
  ::munmap(contents_, sizeof(Contents));
  ::close(file_);
}

std::string WatchBoard::path() const {
  return fmt::format("/proc/{}/fd/{}", ::getpid(), file_);
}

}  // namespace shardmark::bench
