// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/directory/played_steps.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <vector>

#include "shardmark/storage/directory/saved_removal.hpp"
#include "shardmark/storage/directory/step_names.hpp"
#include "shardmark/storage/posix/file.hpp"
#include "shardmark/storage/posix/folder.hpp"

namespace shardmark {
namespace {

Result<bool> has_mark(const std::string& directory) {
  return holds_name(directory, played_file_name);
}

/// By their names, ascending.
Result<std::vector<std::int64_t>> played_steps(const std::string& directory) {
  SHARDMARK_ASSIGN_OR_RETURN(const auto names, list_folder(directory));
  std::vector<std::int64_t> steps;
  for (const std::string& name : names) {
    if (const auto step = step_of_played_name(name)) {
      SHARDMARK_ASSIGN_OR_RETURN(const bool is_whole,
                                 has_mark(fmt::format("{}/{}", directory, name)));
      if (is_whole) {
        steps.push_back(*step);
      }
    }
  }
  return steps;
}

}  // namespace

Result<std::string> find_played(const std::string& directory, std::optional<std::int64_t> step) {
  SHARDMARK_ASSIGN_OR_RETURN(const auto steps, played_steps(directory));
  if (steps.empty()) {
    return Error{ErrorCode::not_found,
                 fmt::format("nothing that was played lies in {}: run.world reads what the same "
                             "ranks of the same world have written",
                             directory)};
  }
  const std::int64_t wanted = step.value_or(steps.back());
  std::string path = directory + "/" + played_name(wanted);
  SHARDMARK_ASSIGN_OR_RETURN(const bool is_whole, has_mark(path));
  if (!is_whole) {
    return Error{ErrorCode::not_found, fmt::format("step {} was not played in {}; the newest is {}",
                                                   wanted, directory, steps.back())};
  }
  return path;
}

Result<PlayedMark> read_played_mark(const std::string& played_directory) {
  const std::string path = played_directory + "/" + played_file_name;
  SHARDMARK_ASSIGN_OR_RETURN(const std::string text, read_small_file(path, max_commit_bytes));
  SHARDMARK_ASSIGN_OR_RETURN(PlayedMark mark, parse_played_mark(text, path));
  const auto named = step_of_played_name(played_directory.substr(played_directory.rfind('/') + 1));
  if (named && *named != mark.record.step) {
    return Error{ErrorCode::data_loss,
                 fmt::format("{} is named for step {} and holds step {}: it was renamed or copied",
                             played_directory, *named, mark.record.step)};
  }
  return mark;
}

Status check_same_play(const std::string& played_directory, const PlayedMark& mark,
                       const PlayedWorld& wanted) {
  if (mark.world == wanted) {
    return {};
  }
  return Error{ErrorCode::mismatch,
               fmt::format("{} was played by {}, and this is {}: what was played is read by the "
                           "same ranks of the same world alone",
                           played_directory, describe(mark.world), describe(wanted))};
}

Status refuse_played(const std::string& directory) {
  SHARDMARK_ASSIGN_OR_RETURN(const bool is_played, has_mark(directory));
  if (!is_played) {
    return {};
  }
  const auto mark = read_played_mark(directory);
  return Error{
      ErrorCode::invalid_argument,
      fmt::format("{} is no checkpoint: it holds what {} wrote when they were played "
                  "(run.world), and nothing of the others",
                  directory, mark ? describe(mark->world) : "some ranks of a bigger world")};
}

std::string describe_played(const std::string& directory) {
  const auto steps = played_steps(directory);
  return !steps || steps->empty()
             ? std::string()
             : fmt::format("; what was played there (run.world), {} step{}, is none", steps->size(),
                           steps->size() == 1 ? "" : "s");
}

Status check_played_is_new(const std::string& directory, std::int64_t step) {
  if (step < 0 || step > max_step) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("step {} is out of range: 0 to {}", step, max_step)};
  }
  const std::string path = directory + "/" + played_name(step);
  struct stat info {};
  if (::lstat(path.c_str(), &info) == 0) {
    return Error{ErrorCode::already_exists,
                 fmt::format("step {} was played already: {} is never written to", step, path)};
  }
  return errno == ENOENT ? Status() : Status(errno_error("cannot look at", path, errno));
}

Status remove_played(const std::string& directory, std::int64_t step, const std::string& save_id) {
  const std::string name = played_name(step);
  SHARDMARK_ASSIGN_OR_RETURN(const PlayedMark mark, read_played_mark(directory + "/" + name));
  return remove_saved(directory, name, mark.record.save_id, save_id);
}

}  // namespace shardmark
