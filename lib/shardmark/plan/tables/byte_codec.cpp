// SPDX-License-Identifier: Apache-2.0
#include "shardmark/plan/tables/byte_codec.hpp"

#include <fmt/format.h>

namespace shardmark {

void ByteWriter::text(std::string_view text) {
  varint(text.size());
  const auto* data = reinterpret_cast<const std::byte*>(text.data());
  bytes_.insert(bytes_.end(), data, data + text.size());
}

void ByteReader::fail(const char* problem) noexcept {
  if (problem_ == nullptr) {
    problem_ = problem;
    problem_at_ = position();
  }
  rest_ = {};
}

std::uint64_t ByteReader::long_varint() {
  std::uint64_t value = 0;
  std::size_t used = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (used == rest_.size()) {
      fail("ends inside a number");
      return 0;
    }
    const auto byte = static_cast<std::uint64_t>(rest_[used++]);
    if (shift == 63 && byte > 1) {
      fail("number above 64 bits");
      return 0;
    }
    value |= (byte & 0x7F) << shift;
    if (byte < 0x80) {
      if (byte == 0 && used > 1) {
        fail("number longer than it need be");
        return 0;
      }
      rest_ = rest_.subspan(used);
      return value;
    }
  }
  fail("number above 64 bits");
  return 0;
}

std::size_t ByteReader::length(std::size_t min_bytes) {
  const std::uint64_t value = varint();
  if (value > rest_.size() / (min_bytes == 0 ? 1 : min_bytes)) {
    fail("length passes the end");
    return 0;
  }
  return static_cast<std::size_t>(value);
}

std::uint64_t ByteReader::fixed64() {
  if (rest_.size() < 8) {
    fail("ends inside a word");
    return 0;
  }
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    value |= static_cast<std::uint64_t>(rest_[i]) << (8 * i);
  }
  rest_ = rest_.subspan(8);
  return value;
}

std::string_view ByteReader::text() {
  const std::size_t size = length();
  const std::string_view text(reinterpret_cast<const char*>(rest_.data()), size);
  rest_ = rest_.subspan(size);
  return text;
}

Dims ByteReader::dims(int ndim) {
  Dims dims = Dims::filled(ndim, 0);
  for (std::int64_t& value : dims) {
    value = count();
  }
  return dims;
}

Status ByteReader::status(std::string_view what) const {
  if (problem_ == nullptr) {
    return {};
  }
  return Error{ErrorCode::data_loss, fmt::format("{}: {} at byte {}", what, problem_, problem_at_)};
}

}  // namespace shardmark
