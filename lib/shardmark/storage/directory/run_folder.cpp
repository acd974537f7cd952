// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/directory/run_folder.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "shardmark/storage/directory/committed_steps.hpp"
#include "shardmark/storage/directory/leftovers.hpp"
#include "shardmark/storage/directory/owned_folder.hpp"
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
  SHARDMARK_ASSIGN_OR_RETURN(auto owner, make_owned_folder(path));
  RunFolder made(std::move(path), run_id, std::move(owner));
  // Steps that are committed in it are no more durable than its name.
  SHARDMARK_RETURN_IF_ERROR(fsync_folder(directory));
  return made;
}

RunFolder::~RunFolder() {
  if (owner_) {
    static_cast<void>(close(false));
  }
}

bool RunFolder::close(bool keep) {
  bool right = true;
  if (keep) {
    // At once, for a signal in between would end a job whose folder has an owner: a dead one's. And
    // while it is locked, for what its owner lets go of is that too.
    {
      const auto held = hold_unfinished();
      ::unlink((path_ + "/" + owner_file_name).c_str());
      forget_unfinished(path_);
    }
    static_cast<void>(fsync_folder(path_));  // else a crash may bring the owner back
    owner_->release();
  } else {
    {
      const auto held = hold_unfinished();
      add_unfinished(path_);  // its descriptor is about to be somebody else's
    }
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
