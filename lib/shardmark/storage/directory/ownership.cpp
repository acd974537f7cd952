// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/directory/ownership.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <span>
#include <system_error>

#include "shardmark/core/guarded_thread.hpp"
#include "shardmark/storage/directory/owner_record.hpp"
#include "shardmark/storage/posix/folder.hpp"
#include "shardmark/storage/posix/notices.hpp"

namespace shardmark {
namespace {

constexpr std::chrono::seconds heartbeat_period{5};

}  // namespace

Result<std::unique_ptr<Ownership>> Ownership::take(const std::string& folder) {
  std::string path = folder + "/" + owner_file_name;
  SHARDMARK_ASSIGN_OR_RETURN(FileDescriptor file, open_file(path, O_RDWR | O_CREAT));
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) {
      return Error{ErrorCode::already_exists, fmt::format("{} is held by somebody else", path)};
    }
    add_notice(
        fmt::format("this file system has no locks ({}): leftovers of dead jobs of other "
                    "hosts are swept by their age alone",
                    std::error_code(errno, std::generic_category()).message()));
  }
  if (!is_still_there(file, path)) {  // a sweeper let go of it, and was not done yet
    return Error{ErrorCode::not_found, fmt::format("{} is gone", path)};
  }
  const std::string text = to_text(own_record());
  SHARDMARK_RETURN_IF_ERROR(write_at(file, path, std::as_bytes(std::span(text)), 0));
  // Not for durability: other nodes read it now.
  static_cast<void>(::fsync(file.get()));
  std::unique_ptr<Ownership> ownership(new Ownership(std::move(path), std::move(file)));
  SHARDMARK_RETURN_IF_ERROR(ownership->start_heart());
  return ownership;
}

Ownership::Ownership(std::string path, FileDescriptor file)
    : path_(std::move(path)), file_(std::move(file)) {}

Status Ownership::start_heart() {
  // Signals are for the thread that waits for them.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  Status started = start_thread(heart_, [this] { beat(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return started;
}

Ownership::~Ownership() {
  release();
}

void Ownership::release() {
  {
    const std::scoped_lock lock(mutex_);
    released_ = true;
  }
  over_.notify_all();
  for (std::thread& heart : heart_) {
    heart.join();
  }
  heart_.clear();
  file_ = FileDescriptor();
}

/// Through the descriptor: where a job was suspended for so long that its folder was renamed away,
/// that is what is touched, and nothing new.
void Ownership::beat() {
  std::unique_lock lock(mutex_);
  while (!over_.wait_for(lock, heartbeat_period, [this] { return released_; })) {
    if (::futimens(file_.get(), nullptr) == 0) {
      continue;  // "now" is the file system's own
    }
    // It does not let times be set: writing sets them.
    const std::string text = to_text(own_record());
    if (write_at(file_, path_, std::as_bytes(std::span(text)), 0)) {
      static_cast<void>(::fsync(file_.get()));
    }
  }
}

}  // namespace shardmark
