// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace shardmark::interposed {

/// What a call did; numbers are part of the records' form.
enum class Done : std::uint32_t {
  opened = 1,     // path; a: flags
  written = 2,    // a: byte offset; data
  truncated = 3,  // a: length
  allocated = 4,  // a: byte offset, b: length, mode: of fallocate
  synced = 5,     // path
  renamed = 6,    // path, to `other`; a: flags
  removed = 7,    // path
  folder_made = 8,
  linked = 9,       // path, also as `other`
  not_known = 100,  // path; what this record cannot hold: it is incomplete
};

/// One call: when it began, and what is known when it has ended.
struct Call {
  Done done = Done::not_known;
  std::uint64_t begin_ns = 0;
  std::string path;
  std::string other;
  std::uint64_t inode = 0;
  std::int64_t a = 0;
  std::int64_t b = 0;
  std::uint32_t mode = 0;
  const void* data = nullptr;
  std::size_t num_bytes = 0;
};

/// Whether $SHARDMARK_TORTURE_RECORD names a folder: each process writes a file HOST.PID in it.
bool is_recording();

/// Puts a call that has ended well at the end of this process's record. Thread-safe.
void record(const Call& call);

std::uint64_t inode_of(int fd);

}  // namespace shardmark::interposed
