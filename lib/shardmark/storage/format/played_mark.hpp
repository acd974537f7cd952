// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "shardmark/core/result.hpp"
#include "shardmark/plan/merge/played_world.hpp"
#include "shardmark/storage/format/commit_record.hpp"

namespace shardmark {

/// The contents of PLAYED, the file whose presence makes a folder one that some ranks of a bigger
/// world have written: their part of a checkpoint, which is none. Plain text, one "key value" a
/// line, then the lines of a COMMIT, ending in the XXH3-64 of everything before:
///
///     shardmark played save
///     world 512
///     ranks 0-3,256-259
///     parts shares
///     shardmark checkpoint
///     ...
///     xxh3 77aa...                         (of the lines of COMMIT)
///     played_xxh3 0c11...
struct PlayedMark {
  PlayedWorld world;
  PlayedParts parts = PlayedParts::shares;
  CommitRecord record;
};

inline constexpr const char* played_file_name = "PLAYED";

std::string to_text(const PlayedMark& mark);

/// Local. Whether a file begins as PLAYED does.
bool is_played_mark(std::string_view text) noexcept;

/// Local. `path` is for messages. Errors: as parse_commit_record().
Result<PlayedMark> parse_played_mark(const std::string& text, const std::string& path);

}  // namespace shardmark
