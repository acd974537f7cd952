// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/directory/owned_folder.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "shardmark/storage/directory/removal.hpp"
#include "shardmark/storage/directory/unfinished.hpp"
#include "shardmark/storage/posix/folder.hpp"

namespace shardmark {
namespace {

bool was_swept(const Error& error) {
  return error.code == ErrorCode::not_found || error.code == ErrorCode::already_exists;
}

/// Under hold_unfinished(). nullptr if it was swept meanwhile.
Result<std::unique_ptr<Ownership>> try_once(const std::string& path, bool may_be_there) {
  add_unfinished(path);
  if (::mkdir(path.c_str(), 0777) != 0 && !(may_be_there && errno == EEXIST)) {
    const int failed = errno;
    forget_unfinished(path);
    return errno_error("cannot make", path, failed);
  }
  auto owner = Ownership::take(path);
  if (owner) {
    add_unfinished(path, (*owner)->descriptor());
    return owner;
  }
  if (was_swept(owner.error())) {
    return std::unique_ptr<Ownership>();
  }
  static_cast<void>(remove_folder(path));  // with an owner that could not be written
  forget_unfinished(path);
  return owner;
}

}  // namespace

Result<std::unique_ptr<Ownership>> make_owned_folder(const std::string& path, bool may_be_there) {
  // A sweeper holds it for microseconds, unless it is stopped just then.
  constexpr std::chrono::seconds longest{10};
  const auto end = std::chrono::steady_clock::now() + longest;
  for (int tries = 0; std::chrono::steady_clock::now() < end; ++tries) {
    {
      const auto held = hold_unfinished();
      SHARDMARK_ASSIGN_OR_RETURN(auto owner, try_once(path, may_be_there || tries > 0));
      if (owner) {
        return owner;
      }
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  const auto held = hold_unfinished();
  ::rmdir(path.c_str());
  forget_unfinished(path);
  return Error{ErrorCode::io_error,
               fmt::format("cannot hold {}: it is swept again and again", path)};
}

}  // namespace shardmark
