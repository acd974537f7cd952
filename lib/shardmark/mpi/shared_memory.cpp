// SPDX-License-Identifier: Apache-2.0
#include "shardmark/mpi/shared_memory.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <random>
#include <string>

#include "shardmark/core/rounding.hpp"

namespace shardmark {
namespace {

constexpr std::size_t large_page = std::size_t{2} << 20;

std::size_t page_bytes() {
  return static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

/// A mapping without an owner, for the next that asks.
struct Kept {
  std::mutex mutex;
  std::uint64_t id = 0;
  int sharers = 0;                                       // processes that have it
  SharedMemory::Pages pages = SharedMemory::Pages::any;  // that were asked for
  std::span<std::byte> bytes;
};

Kept& kept() {
  static Kept memory;
  return memory;
}

std::uint64_t fresh_id() {
  std::random_device device;
  const std::uint64_t high = device();
  return (high << 32 | device()) | 1U;
}

Error cannot(std::string_view what, std::int64_t num_bytes, int number) {
  const bool full = number == ENOSPC || number == ENOMEM;
  return {full ? ErrorCode::no_space : ErrorCode::unsupported,
          fmt::format("cannot {} {} bytes of memory that the ranks of a node share: {}", what,
                      num_bytes, std::strerror(number))};
}

/// At a multiple of the large page, as its pages are in the file: else none can be large.
Result<std::span<std::byte>> map(int file, std::int64_t num_bytes) {
  const auto size = static_cast<std::size_t>(num_bytes);
  const std::size_t room = size + large_page;
  void* const reserved = ::mmap(nullptr, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (reserved == MAP_FAILED) {
    return cannot("map", num_bytes, errno);
  }
  auto* const begin = static_cast<std::byte*>(reserved);
  const std::size_t before =
      (large_page - std::bit_cast<std::uintptr_t>(begin) % large_page) % large_page;
  void* const mapping =
      ::mmap(begin + before, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, file, 0);
  if (mapping == MAP_FAILED) {
    const int number = errno;
    ::munmap(reserved, room);
    return cannot("map", num_bytes, number);
  }
  if (before > 0) {
    ::munmap(begin, before);
  }
  const std::size_t used = before + round_up(size, page_bytes());
  if (used < room) {
    ::munmap(begin + used, room - used);
  }
  return std::span(static_cast<std::byte*>(mapping), size);
}

/// Through small pages a device gets requests of a thousand parts, which halves the rate of reads;
/// kernels from 6.1 on gather them into large ones whatever is set for files in memory. Whether all
/// are large.
bool gather_pages(std::span<std::byte> bytes) {
#ifdef MADV_COLLAPSE
  constexpr int collapse = MADV_COLLAPSE;
#else
  constexpr int collapse = 25;  // C libraries older than the kernel do not name it
#endif
  return bytes.size() >= large_page && ::madvise(bytes.data(), bytes.size(), collapse) == 0;
}

/// The same of a file without pages, which gets them. Where one large page would have none at all
/// the kernel takes the file for cut off.
bool make_large_pages(int file, std::span<std::byte> bytes) {
  for (std::size_t at = 0; at < bytes.size(); at += large_page) {
    if (::posix_fallocate(file, static_cast<off_t>(at), 1) != 0) {
      return false;
    }
  }
  return gather_pages(bytes);
}

/// An open file in memory; closes it.
class MemoryFile {
 public:
  explicit MemoryFile(int number) : number_(number) {}
  ~MemoryFile() {
    if (number_ >= 0) {
      ::close(number_);
    }
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  int get() const noexcept { return number_; }

 private:
  int number_;
};

Result<std::span<std::byte>> make_memory(int file, std::int64_t num_bytes, std::uint64_t id,
                                         SharedMemory::Pages pages) {
  if (file < 0) {
    return cannot("make", num_bytes, errno);
  }
  if (::ftruncate(file, num_bytes) != 0) {
    return cannot("make", num_bytes, errno);
  }
  SHARDMARK_ASSIGN_OR_RETURN(const std::span<std::byte> bytes, map(file, num_bytes));
  if (pages == SharedMemory::Pages::large) {
    static_cast<void>(make_large_pages(file, bytes));
  }
  if (const int failed = ::posix_fallocate(file, 0, num_bytes); failed != 0) {
    ::munmap(bytes.data(), bytes.size());
    return cannot("reserve", num_bytes, failed);
  }
  std::memcpy(bytes.data(), &id, sizeof(id));
  return bytes;
}

/// Another rank's memory by its name in /proc. Where processes are numbered differently it may be
/// something else.
Result<std::span<std::byte>> join_memory(const std::string& path, std::int64_t num_bytes,
                                         std::uint64_t id) {
  const MemoryFile file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (file.get() < 0) {
    return cannot("open", num_bytes, errno);
  }
  if (::lseek(file.get(), 0, SEEK_END) != num_bytes) {
    return cannot("recognise", num_bytes, EINVAL);
  }
  SHARDMARK_ASSIGN_OR_RETURN(const std::span<std::byte> bytes, map(file.get(), num_bytes));
  if (std::memcmp(bytes.data(), &id, sizeof(id)) != 0) {
    ::munmap(bytes.data(), bytes.size());
    return cannot("recognise", num_bytes, EINVAL);
  }
  return bytes;
}

/// The memory that all ranks have kept from before, if it is the same one and large enough.
Result<std::span<std::byte>> take_kept(const Communicator& node, std::int64_t num_bytes,
                                       std::uint64_t& id, SharedMemory::Pages& pages) {
  std::span<std::byte> bytes;
  std::uint64_t own = 0;
  int sharers = 0;
  SharedMemory::Pages before = SharedMemory::Pages::any;
  {
    const std::lock_guard lock(kept().mutex);
    own = std::exchange(kept().id, 0);
    sharers = kept().sharers;
    before = kept().pages;
    bytes = std::exchange(kept().bytes, {});
  }
  std::vector<std::byte> wanted(sizeof(own));
  std::memcpy(wanted.data(), &own, sizeof(own));
  node.broadcast(std::span(wanted), 0);
  std::memcpy(&id, wanted.data(), sizeof(id));
  // Others than these ranks must not have it.
  const bool fits = id != 0 && own == id && sharers == node.size() &&
                    static_cast<std::int64_t>(bytes.size()) >= num_bytes;
  if (node.all_reduce(std::int64_t{fits}, MPI_MIN) == 1) {
    if (before == SharedMemory::Pages::any && pages == SharedMemory::Pages::large &&
        node.is_root()) {
      static_cast<void>(gather_pages(bytes.first(
          std::min(bytes.size(), round_up(static_cast<std::size_t>(num_bytes), large_page)))));
    }
    pages = before;  // what is large already is soon gathered again
    return bytes;
  }
  if (!bytes.empty()) {
    ::munmap(bytes.data(), bytes.size());
  }
  return Error{ErrorCode::not_found, "nothing kept"};
}

}  // namespace

bool SharedMemory::grants_large_pages() {
  static const bool granted = [] {
    const MemoryFile file(::memfd_create("shardmark", MFD_CLOEXEC));
    if (file.get() < 0 || ::ftruncate(file.get(), large_page) != 0) {
      return false;
    }
    const auto bytes = map(file.get(), large_page);
    if (!bytes) {
      return false;
    }
    const bool large = make_large_pages(file.get(), *bytes);
    ::munmap(bytes->data(), bytes->size());
    return large;
  }();
  return granted;
}

Result<SharedMemory> SharedMemory::make(const Communicator& node, std::int64_t num_bytes,
                                        Pages pages) {
  std::uint64_t id = 0;
  if (const auto again = take_kept(node, num_bytes, id, pages)) {
    return SharedMemory(id, node.size(), pages, *again);
  }
  if (num_bytes > static_cast<std::int64_t>(large_page)) {
    num_bytes = round_up(num_bytes, static_cast<std::int64_t>(large_page));
  }
  const MemoryFile file(node.is_root() ? ::memfd_create("shardmark", MFD_CLOEXEC) : -1);
  Result<std::span<std::byte>> bytes = std::span<std::byte>();
  std::string path;
  if (node.is_root()) {
    id = fresh_id();
    bytes = make_memory(file.get(), num_bytes, id, pages);
    path = fmt::format("/proc/{}/fd/{}", ::getpid(), file.get());
  }
  SHARDMARK_RETURN_IF_ERROR(node.agree(Status(bytes)));
  node.broadcast(path);
  std::array<std::byte, sizeof(id)> id_bytes{};
  std::memcpy(id_bytes.data(), &id, sizeof(id));
  node.broadcast(std::span(id_bytes), 0);
  std::memcpy(&id, id_bytes.data(), sizeof(id));
  if (!node.is_root()) {
    bytes = join_memory(path, num_bytes, id);
  }
  const Status joined = node.agree(Status(bytes));
  if (!joined) {
    if (bytes && !bytes->empty()) {
      ::munmap(bytes->data(), bytes->size());
    }
    return joined.error();
  }
  return SharedMemory(id, node.size(), pages, *bytes);
}

SharedMemory::~SharedMemory() {
  if (bytes_.empty()) {
    return;
  }
  const std::lock_guard lock(kept().mutex);
  if (kept().bytes.size() < bytes_.size()) {
    std::swap(kept().bytes, bytes_);
    kept().id = id_;
    kept().sharers = sharers_;
    kept().pages = pages_;
  }
  if (!bytes_.empty()) {
    ::munmap(bytes_.data(), bytes_.size());
  }
}

}  // namespace shardmark
