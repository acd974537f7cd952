// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "shardmark/core/result.hpp"
#include "shardmark/core/rounding.hpp"
#include "shardmark/storage/posix/file.hpp"

namespace shardmark {

/// A file that is read or written past HDF5, through the page cache and, where it can be, past it.
/// For several threads.
class RawFile {
 public:
  enum class Access : std::uint8_t { read, write };

  /// Local. Opens an existing file. That O_DIRECT is not to be had is no error: see
  /// o_direct_reason().
  static Result<RawFile> open(const std::string& path, Access access, bool o_direct);

  const std::string& path() const noexcept { return path_; }
  /// True as long as nothing shows that O_DIRECT does not go past the page cache here.
  bool o_direct() const noexcept { return state_->o_direct.load(std::memory_order_relaxed); }
  /// Why O_DIRECT was asked for and is not used; empty if it is used or was not asked for.
  std::string o_direct_reason() const;
  /// Offsets and lengths of O_DIRECT are multiples of this; memory addresses too.
  std::int64_t block() const noexcept { return block_; }
  /// Whether memory at `data` and the file at `offset` lie alike in their blocks, so that no copy
  /// is needed.
  bool agrees(const std::byte* data, std::int64_t offset) const noexcept;

  /// Local. All of `bytes` at `offset`; `past_cache` wants block-aligned offset, length and memory
  /// and o_direct().
  Status write(std::span<const std::byte> bytes, std::int64_t offset, bool past_cache) const;
  /// Local. As many of `bytes` as the file has from `offset` on.
  Result<std::int64_t> read(std::span<std::byte> bytes, std::int64_t offset, bool past_cache) const;
  Status sync() const;

 private:
  struct State {
    std::atomic<bool> o_direct = false;
    std::atomic<bool> measured = false;
    std::atomic<const char*> reason = "";  // set before o_direct is cleared
  };

  /// For all that use this file from now on.
  void give_up_o_direct(const char* reason) const;
  void measure(std::int64_t offset, std::int64_t num_bytes) const;

  std::string path_;
  FileDescriptor cached_;
  FileDescriptor past_cache_;
  std::int64_t block_ = default_block_bytes;
  std::unique_ptr<State> state_ = std::make_unique<State>();
};

}  // namespace shardmark
