// SPDX-License-Identifier: Apache-2.0
#include "shardmark/workload/host_buffer.hpp"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace shardmark {
namespace {

constexpr std::size_t huge_page = std::size_t{2} << 20;
constexpr std::size_t small_page = 4096;

}  // namespace

HostBuffer::~HostBuffer() {
  if (mapping_ != nullptr) {
    ::munmap(mapping_, mapping_size_);
  }
}

HostBuffer::HostBuffer(HostBuffer&& other) noexcept {
  *this = std::move(other);
}

HostBuffer& HostBuffer::operator=(HostBuffer&& other) noexcept {
  std::swap(mapping_, other.mapping_);
  std::swap(mapping_size_, other.mapping_size_);
  std::swap(begin_, other.begin_);
  std::swap(size_, other.size_);
  return *this;
}

Result<HostBuffer> HostBuffer::make(std::int64_t num_bytes) {
  // Overcommitting kernels grant anything and kill the process later: a plain message comes first.
  const std::int64_t machine = ::sysconf(_SC_PHYS_PAGES) * ::sysconf(_SC_PAGESIZE);
  if (num_bytes > machine) {
    return Error{
        ErrorCode::invalid_argument,
        fmt::format("this rank's tensors take {} bytes, this machine has {}: use more ranks "
                    "or nodes, or model.scale",
                    num_bytes, machine)};
  }
  HostBuffer buffer;
  buffer.size_ = static_cast<std::size_t>(num_bytes);
  buffer.mapping_size_ = buffer.size_ + huge_page;
  void* const mapping = ::mmap(nullptr, buffer.mapping_size_, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED) {
    return Error{ErrorCode::no_space, fmt::format("cannot get {} bytes of memory for tensors: {}",
                                                  num_bytes, std::strerror(errno))};
  }
  buffer.mapping_ = static_cast<std::byte*>(mapping);
  const auto misaligned = reinterpret_cast<std::uintptr_t>(mapping) % huge_page;
  buffer.begin_ = buffer.mapping_ + (misaligned == 0 ? 0 : huge_page - misaligned);
  static_cast<void>(::madvise(mapping, buffer.mapping_size_, MADV_HUGEPAGE));  // a wish only
  for (std::size_t i = 0; i < buffer.size_; i += small_page) {
    static_cast<volatile std::byte*>(buffer.begin_)[i] = std::byte{0};
  }
  return buffer;
}

}  // namespace shardmark
