// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/storage/directory/step_names.hpp"
#include "shardmark/storage/format/commit_record.hpp"

namespace shardmark {

/// Local. Steps with a COMMIT file, ascending. Errors: not_found if there is no such directory;
/// io_error where its listing breaks off or one of its steps cannot be looked into.
Result<std::vector<std::int64_t>> committed_steps(const std::string& directory);

/// Local. The directory of `step`, or of the newest committed one. A newer step that cannot be
/// looked into is an error, never passed over. Errors: not_found naming what there is; io_error.
Result<std::string> find_checkpoint(const std::string& directory, std::optional<std::int64_t> step);

/// Local. COMMIT of the step in `step_directory`. Errors: not_found; io_error if it cannot be read
/// or is no regular file; data_loss if it is damaged, or of another step than its folder is named
/// for; unsupported.
Result<CommitRecord> read_commit_record(const std::string& step_directory);

/// Local. Makes `directory` (its last component only). Errors: invalid_argument naming the parent
/// that is missing, or what cannot be written.
Status make_checkpoint_root(const std::string& directory);

/// Local. Errors: already_exists if `step` is there already, invalid_argument for a step out of
/// range, io_error if that cannot be told.
Status check_step_is_new(const std::string& directory, std::int64_t step);

/// Local. Removes a committed step whose save id begins with `save_id`, so that a crash at any
/// point leaves it complete or as leftovers that a later save sweeps. Errors: not_found;
/// invalid_argument if the step is of another save; io_error.
Status remove_checkpoint(const std::string& directory, std::int64_t step,
                         const std::string& save_id);

}  // namespace shardmark
