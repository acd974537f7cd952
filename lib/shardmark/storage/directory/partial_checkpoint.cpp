// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/directory/partial_checkpoint.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <span>
#include <system_error>

#include "shardmark/storage/directory/committed_steps.hpp"
#include "shardmark/storage/directory/owned_folder.hpp"
#include "shardmark/storage/directory/owner_record.hpp"
#include "shardmark/storage/directory/played_steps.hpp"
#include "shardmark/storage/directory/removal.hpp"
#include "shardmark/storage/directory/step_names.hpp"
#include "shardmark/storage/directory/unfinished.hpp"
#include "shardmark/storage/posix/file.hpp"
#include "shardmark/storage/posix/folder.hpp"
#include "shardmark/storage/posix/notices.hpp"

namespace shardmark {
namespace {

bool is_there(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0;
}

Status write_commit_file(const std::string& name, const std::string& text) {
  SHARDMARK_ASSIGN_OR_RETURN(const FileDescriptor file,
                             open_file(name, O_WRONLY | O_CREAT | O_EXCL));
  SHARDMARK_RETURN_IF_ERROR(write_at(file, name, std::as_bytes(std::span(text)), 0));
  return fsync_file(file, name);
}

/// A sweep that fails is no reason to lose a save.
void sweep_before_save(const std::string& directory, const SweepRules& rules) {
  const auto report = sweep_leftovers(directory, rules);
  const std::string text =
      report ? describe_left(*report, directory)
             : fmt::format("leftovers of dead jobs are not swept: {}", report.error().message);
  if (!text.empty()) {
    add_notice(text);
  }
}

}  // namespace

PartialCheckpoint::PartialCheckpoint(std::string directory, std::int64_t step, std::string path,
                                     std::unique_ptr<Ownership> owner)
    : directory_(std::move(directory)),
      step_(step),
      path_(std::move(path)),
      owner_(std::move(owner)) {}

Result<PartialCheckpoint> PartialCheckpoint::begin(const std::string& directory, std::int64_t step,
                                                   const std::string& save_id,
                                                   const SweepRules& rules) {
  sweep_before_save(directory, rules);
  std::string path = directory + "/" + partial_name(step, save_id);
  SHARDMARK_ASSIGN_OR_RETURN(auto owner, make_owned_folder(path, true));
  return PartialCheckpoint(directory, step, std::move(path), std::move(owner));
}

Result<std::string> PartialCheckpoint::commit(const CommitRecord& record) {
  return finish(commit_file_name, to_text(record), step_name(step_), [&](const std::string& path) {
    const auto there = read_commit_record(path);
    return there && there->save_id == record.save_id;
  });
}

Result<std::string> PartialCheckpoint::commit_played(const PlayedMark& mark) {
  return finish(played_file_name, to_text(mark), played_name(step_), [&](const std::string& path) {
    const auto there = read_played_mark(path);
    return there && there->record.save_id == mark.record.save_id;
  });
}

Result<std::string> PartialCheckpoint::finish(
    const std::string& mark_name, const std::string& mark, const std::string& name,
    const std::function<bool(const std::string& there)>& is_ours) {
  const auto swept = [this](const Error& error) {
    if (error.code != ErrorCode::not_found || is_there(path_)) {
      return error;
    }
    return Error{ErrorCode::io_error,
                 fmt::format("{} is gone: another job took this one for dead, which was silent for "
                             "too long; nothing was committed",
                             path_)};
  };
  if (const Status written = write_commit_file(path_ + "/" + mark_name, mark); !written) {
    return swept(written.error());
  }
  if (const Status durable = fsync_folder(path_); !durable) {
    return swept(durable.error());
  }
  std::string committed = directory_ + "/" + name;
  {
    const auto held = hold_unfinished();
    const Status renamed = rename_without_replacing(directory_, path_, committed);
    if (!renamed) {
      // A network may lose the answer to a rename that was done.
      if (!is_ours(committed)) {
        return swept(renamed.error());
      }
    }
    forget_unfinished(path_);
  }
  // After the rename, so that a crash before it leaves a directory that can still be swept. Closed
  // first: NFS keeps a name for what is removed while it is open.
  owner_->release();
  ::unlink((committed + "/" + owner_file_name).c_str());
  if (const Status durable = fsync_folder(directory_); !durable) {
    return Error{
        ErrorCode::io_error,
        fmt::format("step {} is committed in {} and loads, but a crash of this machine may "
                    "lose it: {}",
                    step_, committed, durable.error().message)};
  }
  return committed;
}

void PartialCheckpoint::abandon() {
  {
    const auto held = hold_unfinished();
    add_unfinished(path_);  // its descriptor is about to be somebody else's
  }
  static_cast<void>(remove_folder(path_, [this] { owner_->release(); }));
  const auto held = hold_unfinished();
  forget_unfinished(path_);
}

Status rename_without_replacing(const std::string& directory, const std::string& from,
                                const std::string& to) {
  const auto exists = [&to] {
    return Error{ErrorCode::already_exists, fmt::format("{} exists already", to)};
  };
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) {
    return {};
  }
  if (errno == EEXIST) {
    return exists();
  }
  if (!says_missing(errno)) {
    return errno_error("cannot rename to", to, errno);
  }
  add_notice(
      fmt::format("this file system cannot rename without replacing ({}): a lock, and that "
                  "no folder with files in it is ever replaced, stand for it",
                  std::error_code(errno, std::generic_category()).message()));
  // A lock on the parent keeps two savers apart between the check and the rename, where there are
  // locks; a committed step is safe without: rename replaces empty folders only.
  const FileDescriptor parent(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (parent) {
    static_cast<void>(::flock(parent.get(), LOCK_EX));
  }
  if (is_there(to)) {
    return exists();
  }
  if (std::rename(from.c_str(), to.c_str()) != 0) {
    return errno == ENOTEMPTY || errno == EEXIST ? exists()
                                                 : errno_error("cannot rename to", to, errno);
  }
  return {};
}

}  // namespace shardmark
