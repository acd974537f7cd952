// SPDX-License-Identifier: Apache-2.0
#include "bench/machine/free_memory.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "bench/machine/memory_room.hpp"

namespace shardmark::bench {
namespace {

// Virtio specification 1.2, sections 5 and 5.5.3: the balloon and its
// VIRTIO_BALLOON_F_PAGE_REPORTING.
constexpr int balloon_device = 5;
constexpr std::size_t page_reporting_bit = 5;

constexpr std::size_t page_bytes = 4096;

bool reports_free_pages(const std::filesystem::path& device) {
  int kind = 0;
  std::ifstream(device / "device") >> std::hex >> kind;
  std::string features;  // a digit a bit, bit 0 first
  std::ifstream(device / "features") >> features;
  return kind == balloon_device && features.size() > page_reporting_bit &&
         features[page_reporting_bit] == '1';
}

/// Memory that has been written to. None where there is none.
class TouchedMemory {
 public:
  explicit TouchedMemory(std::int64_t num_bytes)
      : size_(static_cast<std::size_t>(num_bytes)),
        memory_(size_ == 0 ? MAP_FAILED
                           : ::mmap(nullptr, size_, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
    if (memory_ == MAP_FAILED) {
      return;
    }
    ::madvise(memory_, size_, MADV_HUGEPAGE);  // sooner done
    for (std::size_t at = 0; at < size_; at += page_bytes) {
      static_cast<volatile std::byte*>(memory_)[at] = std::byte{1};
    }
  }
  ~TouchedMemory() {
    if (memory_ != MAP_FAILED) {
      ::munmap(memory_, size_);
    }
  }
  TouchedMemory(const TouchedMemory&) = delete;
  TouchedMemory& operator=(const TouchedMemory&) = delete;

 private:
  std::size_t size_;
  void* memory_;
};

}  // namespace

bool gives_free_memory_back(const std::string& devices) {
  std::error_code error;
  const std::filesystem::directory_iterator found(devices, error);
  return !error && std::any_of(begin(found), end(found),
                               [](const auto& entry) { return reports_free_pages(entry.path()); });
}

FreeMemory::FreeMemory(const NodeTopology& topology, const Communicator& comm, bool goes_back)
    : comm_(comm), goes_back_(goes_back), ranks_on_node_(topology.num_ranks_beside(comm.rank())) {}

void FreeMemory::touch(std::int64_t num_bytes) const {
  // Half as much again: some of it is gone before the operation comes to it.
  const std::int64_t most = goes_back_ ? available_memory_bytes() / 2 / ranks_on_node_ : 0;
  const TouchedMemory memory(std::clamp<std::int64_t>(num_bytes / 2 * 3, 0, most));
  comm_.barrier();  // before it, a rank could take what another has let go of already
}

}  // namespace shardmark::bench
