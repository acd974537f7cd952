// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/directory/committed_steps.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "shardmark/storage/directory/played_steps.hpp"
#include "shardmark/storage/directory/saved_removal.hpp"
#include "shardmark/storage/directory/unfinished.hpp"
#include "shardmark/storage/posix/file.hpp"
#include "shardmark/storage/posix/folder.hpp"

namespace shardmark {
namespace {

/// Whether something called COMMIT is in a step's folder, whatever it is. What cannot be looked
/// into is an error: it may be the newest step.
Result<bool> has_commit(const std::string& step_directory) {
  return holds_name(step_directory, commit_file_name);
}

/// 0 or an errno. The folder of a run that a signal has just put out of sight is not made again.
int make_unless_leaving(const std::string& directory) {
  const auto held = hold_unfinished();
  return ::mkdir(directory.c_str(), 0777) == 0 ? 0 : errno;
}

/// Steps by their names alone, ascending.
Result<std::vector<std::int64_t>> named_steps(const std::string& directory) {
  auto names = list_folder(directory);
  if (!names) {
    Error error = names.error();
    if (error.code == ErrorCode::not_found) {
      error.message = fmt::format("no checkpoint directory: {}", error.message);
    }
    return error;
  }
  std::vector<std::int64_t> steps;
  for (const std::string& name : *names) {
    if (const auto step = step_of_name(name)) {
      steps.push_back(*step);
    }
  }
  return steps;
}

}  // namespace

Result<std::vector<std::int64_t>> committed_steps(const std::string& directory) {
  SHARDMARK_ASSIGN_OR_RETURN(const auto named, named_steps(directory));
  std::vector<std::int64_t> steps;
  for (const std::int64_t step : named) {
    SHARDMARK_ASSIGN_OR_RETURN(const bool committed, has_commit(directory + "/" + step_name(step)));
    if (committed) {
      steps.push_back(step);
    }
  }
  return steps;
}

Result<std::string> find_checkpoint(const std::string& directory,
                                    std::optional<std::int64_t> step) {
  SHARDMARK_RETURN_IF_ERROR(refuse_played(directory));
  if (step) {
    std::string path = directory + "/" + step_name(*step);
    SHARDMARK_ASSIGN_OR_RETURN(const bool committed, has_commit(path));
    if (committed) {
      return path;
    }
    SHARDMARK_RETURN_IF_ERROR(refuse_played(path));
    SHARDMARK_ASSIGN_OR_RETURN(const auto steps, committed_steps(directory));
    if (!steps.empty()) {
      return Error{
          ErrorCode::not_found,
          fmt::format("no committed checkpoint of step {} in {}; there are {}, the newest is {}",
                      *step, directory, steps.size(), steps.back())};
    }
    return Error{ErrorCode::not_found, fmt::format("no committed checkpoint in {}{}", directory,
                                                   describe_played(directory))};
  }
  SHARDMARK_ASSIGN_OR_RETURN(const auto named, named_steps(directory));
  for (auto newest = named.rbegin(); newest != named.rend(); ++newest) {
    std::string path = directory + "/" + step_name(*newest);
    SHARDMARK_ASSIGN_OR_RETURN(const bool committed, has_commit(path));
    if (committed) {
      return path;
    }
    SHARDMARK_RETURN_IF_ERROR(refuse_played(path));
  }
  return Error{ErrorCode::not_found, fmt::format("no committed checkpoint in {}{}", directory,
                                                 describe_played(directory))};
}

Result<CommitRecord> read_commit_record(const std::string& step_directory) {
  const std::string commit = step_directory + "/" + commit_file_name;
  SHARDMARK_ASSIGN_OR_RETURN(const std::string text, read_small_file(commit, max_commit_bytes));
  if (is_played_mark(text)) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("{} is no checkpoint: its COMMIT is the PLAYED of some ranks of a "
                             "bigger world (run.world)",
                             step_directory)};
  }
  SHARDMARK_ASSIGN_OR_RETURN(CommitRecord record, parse_commit_record(text, commit));
  const auto named = step_of_name(step_directory.substr(step_directory.rfind('/') + 1));
  if (named && *named != record.step) {
    return Error{ErrorCode::data_loss,
                 fmt::format("{} is named for step {} and holds step {}: it was renamed or copied",
                             step_directory, *named, record.step)};
  }
  return record;
}

Status make_checkpoint_root(const std::string& directory) {
  struct stat info {};
  if (::stat(directory.c_str(), &info) == 0 && !S_ISDIR(info.st_mode)) {
    return Error{ErrorCode::invalid_argument, fmt::format("{} is not a directory", directory)};
  }
  const int refused = make_unless_leaving(directory);
  if (refused == 0) {
    // The steps in it are as durable as its own name.
    const std::size_t slash = directory.find_last_not_of('/');
    const std::string own = directory.substr(0, slash + 1);
    const std::size_t parent = own.rfind('/');
    return fsync_folder(parent == std::string::npos ? "." : own.substr(0, parent + 1));
  }
  if (refused != EEXIST && ::stat(directory.c_str(), &info) != 0) {
    const int failed = errno;
    return Error{ErrorCode::invalid_argument,
                 failed == ENOENT
                     ? fmt::format("cannot make {}: its parent directory does not exist", directory)
                     : errno_error("cannot make", directory, failed).message};
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
  struct stat info {};
  if (::lstat(path.c_str(), &info) == 0) {
    return Error{
        ErrorCode::already_exists,
        fmt::format("step {} exists already: {}; a committed checkpoint is never written to", step,
                    path)};
  }
  return errno == ENOENT ? Status() : Status(errno_error("cannot look at", path, errno));
}

Status remove_checkpoint(const std::string& directory, std::int64_t step,
                         const std::string& save_id) {
  const std::string path = directory + "/" + step_name(step);
  SHARDMARK_ASSIGN_OR_RETURN(const CommitRecord record, read_commit_record(path));
  return remove_saved(directory, step_name(step), record.save_id, save_id);
}

}  // namespace shardmark
