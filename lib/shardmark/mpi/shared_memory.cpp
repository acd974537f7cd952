// SPDX-License-Identifier: Apache-2.0
#include "shardmark/mpi/shared_memory.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <random>
#include <string>

namespace shardmark {
namespace {

/// A mapping without an owner, for the next that asks.
struct Kept {
  std::mutex mutex;
  std::uint64_t id = 0;
  int sharers = 0;  // processes that have it
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

Result<std::span<std::byte>> map(int file, std::int64_t num_bytes) {
  const auto size = static_cast<std::size_t>(num_bytes);
  void* const mapping = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (mapping == MAP_FAILED) {
    return cannot("map", num_bytes, errno);
  }
  return std::span(static_cast<std::byte*>(mapping), size);
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

Result<std::span<std::byte>> make_memory(int file, std::int64_t num_bytes, std::uint64_t id) {
  if (file < 0) {
    return cannot("make", num_bytes, errno);
  }
  if (const int failed = ::posix_fallocate(file, 0, num_bytes); failed != 0) {
    return cannot("reserve", num_bytes, failed);
  }
  SHARDMARK_ASSIGN_OR_RETURN(const std::span<std::byte> bytes, map(file, num_bytes));
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
                                       std::uint64_t& id) {
  std::span<std::byte> bytes;
  std::uint64_t own = 0;
  int sharers = 0;
  {
    const std::lock_guard lock(kept().mutex);
    own = std::exchange(kept().id, 0);
    sharers = kept().sharers;
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
    return bytes;
  }
  if (!bytes.empty()) {
    ::munmap(bytes.data(), bytes.size());
  }
  return Error{ErrorCode::not_found, "nothing kept"};
}

}  // namespace

Result<SharedMemory> SharedMemory::make(const Communicator& node, std::int64_t num_bytes) {
  std::uint64_t id = 0;
  if (const auto again = take_kept(node, num_bytes, id)) {
    return SharedMemory(id, node.size(), *again);
  }
  const MemoryFile file(node.is_root() ? ::memfd_create("shardmark", MFD_CLOEXEC) : -1);
  Result<std::span<std::byte>> bytes = std::span<std::byte>();
  std::string path;
  if (node.is_root()) {
    id = fresh_id();
    bytes = make_memory(file.get(), num_bytes, id);
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
  return SharedMemory(id, node.size(), *bytes);
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
  }
  if (!bytes_.empty()) {
    ::munmap(bytes_.data(), bytes_.size());
  }
}

}  // namespace shardmark
