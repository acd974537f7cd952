// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/directory/partial_checkpoint.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "shardmark/storage/directory/step_ownership.hpp"
#include "shardmark/storage/directory/unfinished.hpp"

namespace shardmark {
namespace {

namespace fs = std::filesystem;

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
  const std::string hidden = directory + "/" + partial_name(step, make_save_id());
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

PartialCheckpoint::PartialCheckpoint(std::string directory, std::int64_t step, std::string path,
                                     FileDescriptor owner)
    : directory_(std::move(directory)),
      step_(step),
      path_(std::move(path)),
      owner_(std::move(owner)) {}

Result<PartialCheckpoint> PartialCheckpoint::begin(const std::string& directory, std::int64_t step,
                                                   const std::string& save_id) {
  SHARDMARK_RETURN_IF_ERROR(sweep_partial_checkpoints(directory));
  std::string path = directory + "/" + partial_name(step, save_id);
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
