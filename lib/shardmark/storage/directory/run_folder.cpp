// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/directory/run_folder.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <optional>
#include <thread>

#include "shardmark/storage/directory/committed_steps.hpp"
#include "shardmark/storage/directory/leftovers.hpp"
#include "shardmark/storage/directory/owner_record.hpp"
#include "shardmark/storage/directory/removal.hpp"
#include "shardmark/storage/directory/step_names.hpp"
#include "shardmark/storage/directory/unfinished.hpp"
#include "shardmark/storage/posix/file.hpp"
#include "shardmark/storage/posix/folder.hpp"
#include "shardmark/storage/posix/notices.hpp"

namespace shardmark {

Result<RunFolder> RunFolder::make(const std::string& directory, const std::string& run_id) {
  SHARDMARK_RETURN_IF_ERROR(make_checkpoint_root(directory));
  SHARDMARK_ASSIGN_OR_RETURN(const SweepReport swept, sweep_leftovers(directory));
  if (const std::string text = describe_left(swept, directory); !text.empty()) {
    add_notice(text);
  }
  std::string path = directory + "/" + run_name(run_id);
  std::optional<RunFolder> made;
  // A sweeper may take the new folder while it is empty; then it is made again.
  constexpr int max_tries = 100;
  for (int tries = 0; tries < max_tries; ++tries) {
    const auto held = hold_unfinished();
    add_unfinished(path);
    if (::mkdir(path.c_str(), 0777) != 0 && (tries == 0 || errno != EEXIST)) {
      forget_unfinished(path);
      return errno_error("cannot make", path, errno);
    }
    auto owner = Ownership::take(path);
    if (owner) {
      add_unfinished(path, (*owner)->descriptor());
      made = RunFolder(path, run_id, std::move(*owner));
      break;
    }
    if (owner.error().code != ErrorCode::not_found &&
        owner.error().code != ErrorCode::already_exists) {
      ::rmdir(path.c_str());
      forget_unfinished(path);
      return owner.error();
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  if (!made) {
    return Error{ErrorCode::io_error,
                 fmt::format("cannot hold {}: it is swept again and again", path)};
  }
  // Steps that are committed in it are no more durable than its name.
  SHARDMARK_RETURN_IF_ERROR(fsync_folder(directory));
  return std::move(*made);
}

RunFolder::~RunFolder() {
  if (owner_) {
    static_cast<void>(close(false));
  }
}

bool RunFolder::close(bool keep) {
  bool right = true;
  {
    const auto held = hold_unfinished();
    add_unfinished(path_);  // its descriptor is about to be somebody else's
    if (keep) {
      forget_unfinished(path_);
    }
  }
  if (keep) {
    // First, and while it is locked: a folder whose owner lets go is a dead job's.
    ::unlink((path_ + "/" + owner_file_name).c_str());
    owner_->release();
  } else {
    right = remove_run_folder(path_, run_id_, [this] { owner_->release(); });
    if (!right && !is_used_up(path_)) {
      add_notice(fmt::format("{} stays: it holds {}, which is not of this run", path_,
                             foreign_name_in_run(path_, run_id_)));
    }
  }
  owner_.reset();
  const auto held = hold_unfinished();
  forget_unfinished(path_);
  return right;
}

}  // namespace shardmark
