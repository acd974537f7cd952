// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/checkpoint_directory.hpp"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <ctime>
#include <filesystem>

#include "shardmark/storage/unfinished.hpp"

namespace shardmark {
namespace {

namespace fs = std::filesystem;

constexpr const char* owner_file_name = "owner";

std::optional<std::int64_t> step_of_name(std::string_view name) {
  constexpr std::string_view prefix = "step-";
  if (!name.starts_with(prefix) || name.size() != prefix.size() + 8 ||
      name.find_first_not_of("0123456789", prefix.size()) != std::string_view::npos) {
    return std::nullopt;
  }
  std::int64_t step = 0;
  const char* end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data() + prefix.size(), end, step);
  return error == std::errc() && stop == end ? std::optional(step) : std::nullopt;
}

/// ".step-NNNNNNNN.partial-<hex>".
bool is_partial_name(std::string_view name) {
  constexpr std::string_view middle = ".partial-";
  if (!name.starts_with('.') || name.size() <= 14 + middle.size()) {
    return false;
  }
  const std::string_view id = name.substr(14 + middle.size());
  return step_of_name(name.substr(1, 13)) && name.substr(14, middle.size()) == middle &&
         id.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string owner_text() {
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  const char* job = std::getenv("SLURM_JOB_ID");
  return fmt::format("host {}\npid {}\njob {}\ntime {:%Y-%m-%dT%H:%M:%SZ}\n", host.data(),
                     ::getpid(), job == nullptr ? "-" : job, fmt::gmtime(std::time(nullptr)));
}

/// Makes and locks `path`/owner. Nothing if somebody else got the lock, or the directory, in
/// between.
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

/// True if the directory is gone afterwards.
bool sweep_one(const std::string& path) {
  if (!is_real_directory(path)) {
    return false;
  }
  auto owner = open_file(path + "/" + owner_file_name, O_RDWR | O_NOFOLLOW);
  if (!owner) {
    // Died between making the directory and the file: empty, or not ours to judge.
    return owner.error().code == ErrorCode::not_found && ::rmdir(path.c_str()) == 0;
  }
  if (::flock(owner->get(), LOCK_EX | LOCK_NB) != 0) {
    return false;
  }
  std::error_code error;
  fs::remove_all(path, error);
  return !error;
}

}  // namespace

std::string step_name(std::int64_t step) {
  return fmt::format("step-{:08}", step);
}

Result<std::vector<std::int64_t>> committed_steps(const std::string& directory) {
  std::error_code error;
  fs::directory_iterator entries(directory, error);
  if (error) {
    const auto code =
        error == std::errc::no_such_file_or_directory || error == std::errc::not_a_directory
            ? ErrorCode::not_found
            : ErrorCode::io_error;
    return Error{
        code, fmt::format("cannot open checkpoint directory {}: {}", directory, error.message())};
  }
  std::vector<std::int64_t> steps;
  for (; entries != fs::directory_iterator(); entries.increment(error)) {
    const auto step = step_of_name(entries->path().filename().string());
    if (step && fs::exists(entries->path() / commit_file_name, error)) {
      steps.push_back(*step);
    }
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

Result<std::string> find_checkpoint(const std::string& directory,
                                    std::optional<std::int64_t> step) {
  SHARDMARK_ASSIGN_OR_RETURN(const std::vector<std::int64_t> steps, committed_steps(directory));
  if (steps.empty()) {
    return Error{ErrorCode::not_found, fmt::format("no committed checkpoint in {}", directory)};
  }
  if (step && !std::binary_search(steps.begin(), steps.end(), *step)) {
    return Error{
        ErrorCode::not_found,
        fmt::format("no committed checkpoint of step {} in {}; there are {}, the newest is {}",
                    *step, directory, steps.size(), steps.back())};
  }
  return directory + "/" + step_name(step.value_or(steps.back()));
}

std::string make_save_id() {
  std::array<std::uint64_t, 2> words{};
  if (::getrandom(words.data(), sizeof(words), 0) != static_cast<ssize_t>(sizeof(words))) {
    words = {static_cast<std::uint64_t>(std::time(nullptr)),
             static_cast<std::uint64_t>(::getpid())};
  }
  return fmt::format("{:016x}{:016x}", words[0], words[1]);
}

Status make_checkpoint_root(const std::string& directory) {
  struct stat info {};
  if (::stat(directory.c_str(), &info) == 0 && !S_ISDIR(info.st_mode)) {
    return Error{ErrorCode::invalid_argument, fmt::format("{} is not a directory", directory)};
  }
  if (::mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST) {
    return Error{ErrorCode::invalid_argument,
                 errno == ENOENT
                     ? fmt::format("cannot make {}: its parent directory does not exist", directory)
                     : errno_error("cannot make", directory, errno).message};
  }
  if (::access(directory.c_str(), W_OK | X_OK) != 0) {
    return Error{ErrorCode::invalid_argument,
                 errno_error("cannot write into", directory, errno).message};
  }
  return {};
}

Status check_step_is_new(const std::string& directory, std::int64_t step) {
  if (step < 0 || step > max_step) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("step {} is out of range: 0 to {}", step, max_step)};
  }
  const std::string path = directory + "/" + step_name(step);
  if (::access(path.c_str(), F_OK) == 0) {
    return Error{
        ErrorCode::already_exists,
        fmt::format("step {} exists already: {}; a committed checkpoint is never written to", step,
                    path)};
  }
  return {};
}

Result<int> sweep_partial_checkpoints(const std::string& directory) {
  std::error_code error;
  std::vector<std::string> leftovers;
  for (fs::directory_iterator entry(directory, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    if (is_partial_name(entry->path().filename().string())) {
      leftovers.push_back(entry->path().string());
    }
  }
  if (error) {
    return Error{ErrorCode::io_error,
                 fmt::format("cannot list {}: {}", directory, error.message())};
  }
  return static_cast<int>(std::count_if(leftovers.begin(), leftovers.end(), sweep_one));
}

Status remove_checkpoint(const std::string& directory, std::int64_t step) {
  const std::string path = directory + "/" + step_name(step);
  SHARDMARK_ASSIGN_OR_RETURN(const auto owner, take_ownership(path));
  if (!owner) {
    return Error{ErrorCode::not_found, fmt::format("cannot remove {}: not there, or in use", path)};
  }
  const std::string hidden =
      fmt::format("{}/.{}.partial-{}", directory, step_name(step), make_save_id());
  {
    const auto held = hold_unfinished();
    SHARDMARK_RETURN_IF_ERROR(rename_without_replacing(directory, path, hidden));
    add_unfinished(hidden);
  }
  std::error_code error;
  fs::remove_all(hidden, error);
  if (error) {
    return Error{ErrorCode::io_error, fmt::format("cannot remove {}: {}", hidden, error.message())};
  }
  const auto held = hold_unfinished();
  forget_unfinished(hidden);
  return {};
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

PartialCheckpoint::PartialCheckpoint(std::string directory, std::int64_t step, std::string path,
                                     FileDescriptor owner)
    : directory_(std::move(directory)),
      step_(step),
      path_(std::move(path)),
      owner_(std::move(owner)) {}

Result<PartialCheckpoint> PartialCheckpoint::begin(const std::string& directory, std::int64_t step,
                                                   const std::string& save_id) {
  SHARDMARK_RETURN_IF_ERROR(sweep_partial_checkpoints(directory));
  std::string path = fmt::format("{}/.{}.partial-{}", directory, step_name(step), save_id);
  // A sweeper may take the new directory before its lock is held; then it is made again.
  constexpr int max_tries = 100;
  for (int tries = 0; tries < max_tries; ++tries) {
    {
      const auto held = hold_unfinished();
      add_unfinished(path);
      if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) {
        forget_unfinished(path);
        return errno_error("cannot make", path, errno);
      }
    }
    SHARDMARK_ASSIGN_OR_RETURN(auto owner, take_ownership(path));
    if (owner && is_real_directory(path)) {
      return PartialCheckpoint(directory, step, std::move(path), std::move(*owner));
    }
  }
  return Error{ErrorCode::io_error,
               fmt::format("cannot hold {}: it is swept again and again", path)};
}

Result<std::string> PartialCheckpoint::commit(const CommitRecord& record) {
  const std::string name = path_ + "/" + commit_file_name;
  const std::string text = to_text(record);
  {
    SHARDMARK_ASSIGN_OR_RETURN(const FileDescriptor file,
                               open_file(name, O_WRONLY | O_CREAT | O_EXCL));
    SHARDMARK_RETURN_IF_ERROR(write_at(file, name, std::as_bytes(std::span(text)), 0));
    if (::fsync(file.get()) != 0) {
      return errno_error("cannot fsync", name, errno);
    }
  }
  SHARDMARK_RETURN_IF_ERROR(fsync_path(path_));
  std::string committed = directory_ + "/" + step_name(step_);
  {
    const auto held = hold_unfinished();
    SHARDMARK_RETURN_IF_ERROR(rename_without_replacing(directory_, path_, committed));
    forget_unfinished(path_);
  }
  // After the rename, so that a crash before it leaves a directory that can still be swept.
  ::unlink((committed + "/" + owner_file_name).c_str());
  SHARDMARK_RETURN_IF_ERROR(fsync_path(directory_));
  return committed;
}

void PartialCheckpoint::abandon() {
  std::error_code error;
  fs::remove_all(path_, error);
  const auto held = hold_unfinished();
  forget_unfinished(path_);
}

}  // namespace shardmark
