// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "shardmark/core/result.hpp"
#include "shardmark/storage/format/manifest.hpp"

namespace shardmark {

/// The contents of COMMIT, the file whose presence in step-NNNNNNNN/ makes a checkpoint loadable.
/// Plain text, one "key value" a line, ending in the XXH3-64 of everything before:
///
///     shardmark checkpoint
///     format_version 2
///     save_id 0f3a...
///     step 12
///     file 123456 9f0c... checkpoint.h5    (bytes, XXH3-64 outside element data, name; the entry
///                                           file first)
///     manifest 4096 1790                   (address and length in the entry file)
///     xxh3 77aa...
///
/// In version 1 a file has no hash, and a line "structure 9f0c..." after the manifest's has the
/// entry file's.
struct CommitRecord {
  struct File {
    std::string name;
    std::int64_t num_bytes = 0;
    std::optional<std::uint64_t> outside_hash = std::nullopt;  // not of data files of version 1
  };
  std::string save_id;
  std::int64_t step = 0;
  std::vector<File> files;
  std::int64_t manifest_address = 0;
  std::int64_t manifest_bytes = 0;
  std::uint64_t version = format_version;
};

inline constexpr const char* commit_file_name = "COMMIT";
inline constexpr const char* entry_file_name = "checkpoint.h5";
/// More than any such file has.
inline constexpr std::int64_t max_commit_bytes = std::int64_t{64} << 20;
/// The entry file of back ends without HDF5.
inline constexpr const char* raw_entry_file_name = "checkpoint.raw";

std::string to_text(const CommitRecord& record);

/// Local. `path` is for messages. The version is looked at before the hash: another version may
/// hash otherwise. Errors: unsupported for an unknown format version, data_loss for anything else
/// that to_text() cannot have written.
Result<CommitRecord> parse_commit_record(const std::string& text, const std::string& path);

}  // namespace shardmark
