// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/directory/step_ownership.hpp"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <span>
#include <vector>

#include "shardmark/storage/directory/step_names.hpp"

namespace shardmark {
namespace {

std::string owner_text() {
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  const char* job = std::getenv("SLURM_JOB_ID");
  return fmt::format("host {}\npid {}\njob {}\ntime {:%Y-%m-%dT%H:%M:%SZ}\n", host.data(),
                     ::getpid(), job == nullptr ? "-" : job, fmt::gmtime(std::time(nullptr)));
}

}  // namespace

Result<std::optional<FileDescriptor>> take_ownership(const std::string& path) {
  const std::string name = path + "/" + owner_file_name;
  auto owner = open_file(name, O_RDWR | O_CREAT | O_NOFOLLOW);
  if (!owner) {
    return owner.error().code == ErrorCode::not_found
               ? Result<std::optional<FileDescriptor>>(std::optional<FileDescriptor>())
               : owner.error();
  }
  // Where there are no locks the save goes on unlocked, and nobody will ever sweep it.
  if (::flock(owner->get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    return std::optional<FileDescriptor>();
  }
  const std::string text = owner_text();
  SHARDMARK_RETURN_IF_ERROR(write_at(*owner, name, std::as_bytes(std::span(text)), 0));
  return std::optional<FileDescriptor>(std::move(*owner));
}

Status rename_without_replacing(const std::string& directory, const std::string& from,
                                const std::string& to) {
  if (::syscall(SYS_renameat2, AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) ==
      0) {
    return {};
  }
  if (errno == EEXIST) {
    return Error{ErrorCode::already_exists, fmt::format("{} exists already", to)};
  }
  if (errno != EINVAL && errno != ENOSYS) {
    return errno_error("cannot rename to", to, errno);
  }
  // No such call here: a lock on the parent keeps two savers apart between the check and the
  // rename.
  SHARDMARK_ASSIGN_OR_RETURN(const FileDescriptor parent,
                             open_file(directory, O_RDONLY | O_DIRECTORY));
  ::flock(parent.get(), LOCK_EX);
  if (::access(to.c_str(), F_OK) == 0) {
    return Error{ErrorCode::already_exists, fmt::format("{} exists already", to)};
  }
  if (::rename(from.c_str(), to.c_str()) != 0) {
    return errno_error("cannot rename to", to, errno);
  }
  return {};
}

bool is_real_directory(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

std::optional<std::string> hide_checkpoint(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string name = path.substr(slash + 1);
  if (slash == std::string::npos || !step_of_name(name) || !is_real_directory(path)) {
    return std::nullopt;
  }
  auto owner = take_ownership(path);
  const std::string directory = path.substr(0, slash);
  const std::string hidden = fmt::format("{}/.{}.partial-{}", directory, name, make_save_id());
  if (!owner || !*owner || !rename_without_replacing(directory, path, hidden)) {
    return std::nullopt;
  }
  // The lock goes with the process.
  static std::vector<FileDescriptor> held;
  held.push_back(std::move(**owner));
  return hidden;
}

}  // namespace shardmark
