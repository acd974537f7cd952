// SPDX-License-Identifier: Apache-2.0
#include "bench/machine/allocation_counter.hpp"

#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <new>

namespace shardmark::bench {
namespace {

Allocations counted;  // microbenchmarks have one thread

void* take_or_null(std::size_t size) noexcept {
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (memory != nullptr) {
    ++counted.count;
    counted.live_bytes += static_cast<std::int64_t>(malloc_usable_size(memory));
    counted.peak_bytes = std::max(counted.peak_bytes, counted.live_bytes);
  }
  return memory;
}

void* take(std::size_t size) {
  if (void* memory = take_or_null(size)) {
    return memory;
  }
  throw std::bad_alloc();
}

void give_back(void* memory) noexcept {
  if (memory != nullptr) {
    counted.live_bytes -= static_cast<std::int64_t>(malloc_usable_size(memory));
    std::free(memory);
  }
}

}  // namespace

Allocations allocations() noexcept {
  return counted;
}

void reset_peak() noexcept {
  counted.peak_bytes = counted.live_bytes;
}

}  // namespace shardmark::bench

void* operator new(std::size_t size) {
  return shardmark::bench::take(size);
}
void* operator new[](std::size_t size) {
  return shardmark::bench::take(size);
}
void* operator new(std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
  return shardmark::bench::take_or_null(size);
}
void* operator new[](std::size_t size, const std::nothrow_t& /*tag*/) noexcept {
  return shardmark::bench::take_or_null(size);
}
void operator delete(void* memory) noexcept {
  shardmark::bench::give_back(memory);
}
void operator delete[](void* memory) noexcept {
  shardmark::bench::give_back(memory);
}
void operator delete(void* memory, std::size_t /*size*/) noexcept {
  shardmark::bench::give_back(memory);
}
void operator delete[](void* memory, std::size_t /*size*/) noexcept {
  shardmark::bench::give_back(memory);
}
