// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "shardmark/core/result.hpp"
#include "shardmark/storage/format/played_mark.hpp"

namespace shardmark {

/// Local. The folder of what was played of `step` below `directory`, or of the newest one. Errors:
/// not_found naming what there is; io_error.
Result<std::string> find_played(const std::string& directory, std::optional<std::int64_t> step);

/// Local. PLAYED of such a folder. Errors: not_found; io_error if it cannot be read or is no
/// regular file; data_loss if it is damaged, or of another step than its folder is named for.
Result<PlayedMark> read_played_mark(const std::string& played_directory);

/// Local. Errors: mismatch naming both, where what lies there is not of the same ranks of the same
/// world.
Status check_same_play(const std::string& played_directory, const PlayedMark& mark,
                       const PlayedWorld& wanted);

/// Local. Whether `directory` is, whatever its name, a folder of what was played. Errors:
/// invalid_argument saying so.
Status refuse_played(const std::string& directory);

/// Local. What was played and lies below `directory`, for the message that there is no step; empty
/// where there is nothing.
std::string describe_played(const std::string& directory);

/// Local. As check_step_is_new() and remove_checkpoint(), of what was played.
Status check_played_is_new(const std::string& directory, std::int64_t step);
Status remove_played(const std::string& directory, std::int64_t step, const std::string& save_id);

}  // namespace shardmark
