// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "shardmark/core/tensor_view.hpp"

namespace shardmark {

/// Local. XXH3-64, seed 0.
std::uint64_t xxh3(std::span<const std::byte> bytes) noexcept;

/// Local. XXH3-64 (seed 0) of the view's elements in its row-major order, whatever its strides: no
/// copy is made, so a column shard is hashed row by row from where it lies.
std::uint64_t xxh3(const ConstTensorView& view);

/// XXH3-64 (seed 0) over pieces that arrive one after another.
class StreamingChecksum {
 public:
  StreamingChecksum();
  ~StreamingChecksum();
  StreamingChecksum(StreamingChecksum&&) noexcept;
  StreamingChecksum& operator=(StreamingChecksum&&) noexcept;

  void update(std::span<const std::byte> bytes) noexcept;
  std::uint64_t digest() const noexcept;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Local. FNV-1a 64 of the bytes of `text`: the value law's name hash.
constexpr std::uint64_t fnv1a(std::string_view text) noexcept {
  std::uint64_t hash = 0xCBF29CE484222325ULL;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  }
  return hash;
}

}  // namespace shardmark
