// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "shardmark/core/result.hpp"
#include "shardmark/storage/hdf5/library/handle.hpp"

namespace shardmark {

/// A scalar attribute of 8 bytes, stored little-endian, signed or not, or of a text that fills it.
class AttributeValue {
 public:
  explicit AttributeValue(std::uint64_t value) : kind_(Kind::unsigned_word), word_(value) {}
  explicit AttributeValue(std::int64_t value)
      : kind_(Kind::signed_word), word_(static_cast<std::uint64_t>(value)) {}
  explicit AttributeValue(std::string_view text) : kind_(Kind::text), text_(text) {}

  /// Local. Makes the attribute of an open group or dataset.
  Status create(hid_t object, const char* name) const;
  /// Local. Gives an attribute of this very type another value. HDF5 does it, so that the checksums
  /// of its headers stay right.
  Status rewrite(hid_t object, const char* name) const;

 private:
  enum class Kind : std::uint8_t { unsigned_word, signed_word, text };

  Result<H5Type> type() const;
  Status write(const H5Attribute& attribute, const H5Type& type, const char* name) const;

  Kind kind_;
  std::uint64_t word_ = 0;
  std::string text_;
};

}  // namespace shardmark
