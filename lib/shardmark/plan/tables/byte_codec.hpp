// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "shardmark/core/dims.hpp"
#include "shardmark/core/result.hpp"

namespace shardmark {

/// Appends numbers and names in the compact form in which plans and metadata
/// travel and rest: LEB128 varints, little-endian fixed words, names as length
/// and bytes.
class ByteWriter {
 public:
  void varint(std::uint64_t value) {
    while (value >= 0x80) {
      bytes_.push_back(static_cast<std::byte>(value | 0x80));
      value >>= 7;
    }
    bytes_.push_back(static_cast<std::byte>(value));
  }
  /// For values that are known not to be negative: extents, offsets, counts.
  void count(std::int64_t value) { varint(static_cast<std::uint64_t>(value)); }
  void fixed64(std::uint64_t value) {
    for (int shift = 0; shift < 64; shift += 8) {
      bytes_.push_back(static_cast<std::byte>(value >> shift));
    }
  }
  void text(std::string_view text);
  /// Bytes that are encoded already.
  void raw(std::span<const std::byte> bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  void counts(std::span<const std::int64_t> values) {
    constexpr std::size_t longest = 10;  // bytes of a number
    std::array<std::byte, 16 * longest> buffer;
    while (!values.empty()) {
      const auto part = values.first(std::min<std::size_t>(values.size(), 16));
      std::byte* end = buffer.data();
      for (const std::int64_t value : part) {
        auto rest = static_cast<std::uint64_t>(value);
        for (; rest >= 0x80; rest >>= 7) {
          *end++ = static_cast<std::byte>(rest | 0x80);
        }
        *end++ = static_cast<std::byte>(rest);
      }
      bytes_.insert(bytes_.end(), buffer.data(), end);
      values = values.subspan(part.size());
    }
  }
  void reserve(std::size_t num_bytes) { bytes_.reserve(num_bytes); }
  /// ndim must be known to the reader.
  void dims(const Dims& dims) { counts({dims.data(), dims.size()}); }

  std::size_t size() const noexcept { return bytes_.size(); }
  std::span<const std::byte> bytes() const noexcept { return bytes_; }
  std::vector<std::byte> take() && { return std::move(bytes_); }
  void clear() noexcept { bytes_.clear(); }

 private:
  std::vector<std::byte> bytes_;
};

/// Reads what ByteWriter wrote, from bytes that may be damaged or hostile. The
/// first violation is kept and every later read gives zero, so a caller may
/// check once a record; no read leaves the span, no length is believed before
/// it fits in what is left.
class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) : rest_(bytes), total_(bytes.size()) {}

  /// Fails for anything but the shortest form, so that one value has one
  /// encoding.
  std::uint64_t varint() {
    if (!rest_.empty() && rest_.front() < std::byte{0x80}) {
      const auto value = static_cast<std::uint64_t>(rest_.front());
      rest_ = rest_.subspan(1);
      return value;
    }
    return long_varint();
  }
  /// Fails for values above `max`.
  std::int64_t count(std::int64_t max = INT64_MAX) {
    const std::uint64_t value = varint();
    if (value > static_cast<std::uint64_t>(max)) {
      fail("number out of range");
      return 0;
    }
    return static_cast<std::int64_t>(value);
  }
  /// A number of things that take at least `min_bytes` each in what is left.
  std::size_t length(std::size_t min_bytes = 1);
  std::uint64_t fixed64();
  std::string_view text();
  Dims dims(int ndim);
  /// Those of `dims`, without making one.
  void counts(std::span<std::int64_t> values) {
    for (std::int64_t& value : values) {
      value = count();
    }
  }

  /// Passes over `expected` if it comes next.
  bool skip(std::span<const std::byte> expected) noexcept {
    if (expected.size() > rest_.size() ||
        std::memcmp(expected.data(), rest_.data(), expected.size()) != 0) {
      return false;
    }
    rest_ = rest_.subspan(expected.size());
    return true;
  }

  bool at_end() const noexcept { return rest_.empty(); }
  std::size_t position() const noexcept { return total_ - rest_.size(); }
  bool ok() const noexcept { return problem_ == nullptr; }
  void fail(const char* problem) noexcept;
  /// data_loss: "WHAT: PROBLEM at byte N", or success.
  Status status(std::string_view what) const;

 private:
  std::uint64_t long_varint();

  std::span<const std::byte> rest_;
  std::size_t total_;
  const char* problem_ = nullptr;
  std::size_t problem_at_ = 0;
};

}  // namespace shardmark
