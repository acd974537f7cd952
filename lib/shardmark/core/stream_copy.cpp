// SPDX-License-Identifier: Apache-2.0
#include "shardmark/core/stream_copy.hpp"

#include <cstring>

#ifdef __SSE2__
#include <emmintrin.h>

#include <bit>
#include <cstdint>
#endif

#include "shardmark/core/assert.hpp"

namespace shardmark {

void stream_copy(std::span<std::byte> to, std::span<const std::byte> from) noexcept {
  SHARDMARK_ASSERT(to.size() == from.size(), "both are equally long");
  std::byte* target = to.data();
  const std::byte* source = from.data();
  std::size_t left = to.size();
#ifdef __SSE2__
  constexpr std::size_t line = 64;
  // What a cache holds anyhow is no gain, and the fence costs as much as many lines.
  constexpr std::size_t least = 4096;
  if (left >= least) {
    const std::size_t before = (line - std::bit_cast<std::uintptr_t>(target) % line) % line;
    std::memcpy(target, source, before);
    target += before;
    source += before;
    left -= before;
    for (; left >= line; target += line, source += line, left -= line) {
      const auto* const in = reinterpret_cast<const __m128i*>(source);
      auto* const out = reinterpret_cast<__m128i*>(target);
      const __m128i a = _mm_loadu_si128(in);
      const __m128i b = _mm_loadu_si128(in + 1);
      const __m128i c = _mm_loadu_si128(in + 2);
      const __m128i d = _mm_loadu_si128(in + 3);
      _mm_stream_si128(out, a);
      _mm_stream_si128(out + 1, b);
      _mm_stream_si128(out + 2, c);
      _mm_stream_si128(out + 3, d);
    }
    _mm_sfence();  // before others are told that it is there
  }
#endif
  if (left > 0) {
    std::memcpy(target, source, left);
  }
}

}  // namespace shardmark
