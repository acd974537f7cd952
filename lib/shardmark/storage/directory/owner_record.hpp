// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace shardmark {

/// In a partial checkpoint and in a run's folder: who writes it, locked and touched while they
/// live.
inline constexpr const char* owner_file_name = "owner";

/// Which process made something, so that others can tell whether it lives: those of the same kernel
/// and process namespace for certain, all others by its heartbeat alone.
struct OwnerRecord {
  std::string host;           // for people
  std::int64_t pid = 0;       // within `pid_space`
  std::string job = "-";      // the batch system's
  std::string boot;           // of the kernel that runs it
  std::string pid_space;      // the process namespace
  std::int64_t started = -1;  // the process's start in ticks since that boot; -1: not known
};

/// Local. This process.
OwnerRecord own_record();

/// Lines of "key value"; the last says when.
std::string to_text(const OwnerRecord& record);

/// Local. What can be found in such a text; the rest stays empty.
OwnerRecord parse_owner_record(const std::string& text);

/// Whether the process of a record is alive, as far as this one can know.
enum class Life {
  alive,
  dead,
  same_kernel,  // in another process namespace of it: locks are shared with it
  elsewhere,    // under another kernel, or not known
};
Life life_of(const OwnerRecord& record);

}  // namespace shardmark
