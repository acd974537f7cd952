// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>
#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace shardmark::bench {

/// Local, at the start of a program. glibc gives freed memory back to the system and takes it again
/// with a page fault for every 4 KiB: a quarter of the time of a plan of millions of items, and
/// noise in everything else. Memory that was freed is kept instead, in pieces up to 32 MiB.
inline void keep_freed_memory() noexcept {
#ifdef __GLIBC__
  constexpr int largest_piece = 32 << 20;  // the most that glibc takes
  constexpr int kept_bytes = 1 << 30;
  mallopt(M_MMAP_THRESHOLD, largest_piece);
  mallopt(M_TRIM_THRESHOLD, kept_bytes);
#endif
}

}  // namespace shardmark::bench
