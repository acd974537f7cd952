// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/directory/saved_removal.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>

#include "shardmark/storage/directory/removal.hpp"
#include "shardmark/storage/directory/step_names.hpp"
#include "shardmark/storage/directory/unfinished.hpp"
#include "shardmark/storage/posix/file.hpp"

namespace shardmark {

Status remove_saved(const std::string& directory, const std::string& name,
                    const std::string& found_id, const std::string& save_id) {
  const std::string path = directory + "/" + name;
  if (!found_id.starts_with(save_id)) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("{} is of save {}, not of {}: not removed", path, found_id, save_id)};
  }
  const std::string hidden = directory + "/" + swept_name(name);
  {
    const auto held = hold_unfinished();
    if (std::rename(path.c_str(), hidden.c_str()) != 0) {
      return errno_error("cannot rename", path, errno);
    }
    add_unfinished(hidden);
  }
  // What stays, of NFS for those who have it open, a later sweep counts or removes.
  static_cast<void>(remove_folder(hidden));
  const auto held = hold_unfinished();
  forget_unfinished(hidden);
  return {};
}

}  // namespace shardmark
