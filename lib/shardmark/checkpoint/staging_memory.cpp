// SPDX-License-Identifier: Apache-2.0
#include "shardmark/checkpoint/staging_memory.hpp"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>

#include "shardmark/core/guarded_thread.hpp"
#include "shardmark/core/rounding.hpp"

namespace shardmark {
namespace {

constexpr std::size_t huge_page = std::size_t{2} << 20;
constexpr std::size_t small_page = 4096;
constexpr std::int64_t task_alignment = 64;
// What one thread copies at a time of a contiguous task.
constexpr std::int64_t slice_bytes = std::int64_t{8} << 20;

struct Slice {
  const WriteTask* task = nullptr;
  std::int64_t from = 0;  // bytes into a contiguous task
  std::int64_t num_bytes = 0;
  std::byte* to = nullptr;
};

void copy(const Slice& slice) {
  const ConstTensorView& elements = slice.task->elements;
  if (elements.is_contiguous()) {
    std::memcpy(slice.to, elements.data + slice.from, static_cast<std::size_t>(slice.num_bytes));
    return;
  }
  std::byte* to = slice.to;
  const auto itemsize = static_cast<std::size_t>(element_size(elements.dtype));
  for_each_contiguous_run(elements, [&](const std::byte* from, std::int64_t count) {
    std::memcpy(to, from, static_cast<std::size_t>(count) * itemsize);
    to += static_cast<std::size_t>(count) * itemsize;
  });
}

}  // namespace

StagingMemory::~StagingMemory() {
  release();
}

void StagingMemory::release() noexcept {
  if (data_ != nullptr) {
    ::munmap(data_, size_);
  }
  data_ = nullptr;
  size_ = 0;
}

std::int64_t staged_size(std::span<const WriteTask> tasks) {
  std::int64_t total = 0;
  for (const WriteTask& task : tasks) {
    total += round_up(task.elements.num_bytes(), task_alignment);
  }
  return total;
}

Status StagingMemory::reserve(std::int64_t num_bytes) {
  const std::size_t wanted = round_up(static_cast<std::size_t>(num_bytes), huge_page);
  if (wanted <= size_) {
    return {};
  }
  release();
  void* const mapping =
      ::mmap(nullptr, wanted, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED) {
    return Error{
        ErrorCode::no_space,
        fmt::format("cannot get {} bytes of memory to stage a save in (storage.staging_bytes)",
                    wanted)};
  }
  data_ = static_cast<std::byte*>(mapping);
  size_ = wanted;
  static_cast<void>(::madvise(mapping, wanted, MADV_HUGEPAGE));  // a wish only
  for (std::size_t i = 0; i < wanted; i += small_page) {
    static_cast<volatile std::byte*>(data_)[i] = std::byte{0};
  }
  return {};
}

void StagingMemory::stage(std::span<WriteTask> tasks, int threads) {
  std::vector<Slice> slices;
  std::vector<ConstTensorView> staged;
  std::byte* to = data_;
  for (const WriteTask& task : tasks) {
    const std::int64_t num_bytes = task.elements.num_bytes();
    const std::int64_t slice =
        task.elements.is_contiguous() ? slice_bytes : std::max<std::int64_t>(num_bytes, 1);
    for (std::int64_t from = 0; from < num_bytes; from += slice) {
      slices.push_back({&task, from, std::min(slice, num_bytes - from), to + from});
    }
    staged.push_back(contiguous_view(static_cast<const std::byte*>(to), task.elements.dtype,
                                     task.elements.sizes));
    to += round_up(num_bytes, task_alignment);
  }
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t i = next++; i < slices.size(); i = next++) {
      copy(slices[i]);
    }
  };
  {
    std::vector<std::thread> helpers;
    for (int t = 1; t < threads && start_thread(helpers, work); ++t) {
    }
    work();
    for (std::thread& helper : helpers) {
      helper.join();
    }
  }
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    tasks[i].elements = staged[i];
  }
}

}  // namespace shardmark
