// SPDX-License-Identifier: Apache-2.0
#include "shardmark/core/checksum.hpp"

#include <xxhash.h>

namespace shardmark {

struct StreamingChecksum::State {
  XXH3_state_t* xxh = XXH3_createState();
  State() { XXH3_64bits_reset(xxh); }
  ~State() { XXH3_freeState(xxh); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
};

StreamingChecksum::StreamingChecksum() : state_(std::make_unique<State>()) {}
StreamingChecksum::~StreamingChecksum() = default;
StreamingChecksum::StreamingChecksum(StreamingChecksum&&) noexcept = default;
StreamingChecksum& StreamingChecksum::operator=(StreamingChecksum&&) noexcept = default;

void StreamingChecksum::update(std::span<const std::byte> bytes) noexcept {
  XXH3_64bits_update(state_->xxh, bytes.data(), bytes.size());
}

std::uint64_t StreamingChecksum::digest() const noexcept {
  return XXH3_64bits_digest(state_->xxh);
}

std::uint64_t xxh3(std::span<const std::byte> bytes) noexcept {
  return XXH3_64bits(bytes.data(), bytes.size());
}

std::uint64_t xxh3(const ConstTensorView& view) {
  if (view.is_contiguous()) {
    return xxh3(std::span(view.data, static_cast<std::size_t>(view.num_bytes())));
  }
  StreamingChecksum checksum;
  const auto itemsize = static_cast<std::size_t>(element_size(view.dtype));
  for_each_contiguous_run(view, [&](const std::byte* data, std::int64_t count) {
    checksum.update({data, static_cast<std::size_t>(count) * itemsize});
  });
  return checksum.digest();
}

}  // namespace shardmark
