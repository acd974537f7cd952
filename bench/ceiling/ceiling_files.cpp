// SPDX-License-Identifier: Apache-2.0
#include "bench/ceiling/ceiling_files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "shardmark/core/by_rank.hpp"
#include "shardmark/storage/posix/file.hpp"
#include "shardmark/storage/posix/space.hpp"

namespace shardmark::bench {
namespace {

Status remove_file(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    return errno_error("cannot remove", path, errno);
  }
  return {};
}

Status reserve_file(const std::string& path, std::int64_t num_bytes) {
  SHARDMARK_RETURN_IF_ERROR(remove_file(path));
  SHARDMARK_ASSIGN_OR_RETURN(const FileDescriptor file, open_file(path, O_RDWR | O_CREAT | O_EXCL));
  if (::ftruncate(file.get(), num_bytes) != 0) {
    return errno_error("cannot extend", path, errno);
  }
  return num_bytes == 0 ? Status() : Status(reserve_space(path, num_bytes));
}

}  // namespace

Result<CeilingFolder> CeilingFolder::make(const std::string& directory, const std::string& name,
                                          const Communicator& comm) {
  CeilingFolder folder(directory + "/.ceiling-" + name);
  Status made;
  if (comm.is_root()) {
    std::error_code error;
    std::filesystem::remove_all(folder.path_, error);
    if (!std::filesystem::create_directory(folder.path_, error)) {
      made = errno_error("cannot make", folder.path_, error.value());
    }
  }
  SHARDMARK_RETURN_IF_ERROR(comm.agree(made));
  return folder;
}

std::vector<std::string> CeilingFolder::files(const std::string& stem, FileSharing sharing,
                                              int num_ranks) const {
  if (sharing == FileSharing::one_file) {
    return {fmt::format("{}/{}-shared", path_, stem)};
  }
  std::vector<std::string> paths;
  paths.reserve(static_cast<std::size_t>(num_ranks));
  for (int rank = 0; rank < num_ranks; ++rank) {
    paths.push_back(fmt::format("{}/{}-rank-{:05}", path_, stem, rank));
  }
  return paths;
}

Status CeilingFolder::reserve(const std::string& stem, FileSharing sharing,
                              const CeilingShares& shares, const Communicator& comm) const {
  const auto own = static_cast<std::size_t>(comm.rank());
  const auto paths = files(stem, sharing, comm.size());
  Status reserved;
  if (sharing == FileSharing::file_a_rank) {
    reserved = reserve_file(paths[own], shares.file_bytes(own));
  } else if (comm.is_root()) {
    reserved = reserve_file(paths.front(), shares.total_bytes());
  }
  return comm.agree(reserved);
}

Status CeilingFolder::ask_to_open(const std::string& stem, int flags,
                                  const Communicator& comm) const {
  return comm.agree(
      Status(open_file(files(stem, FileSharing::one_file, comm.size()).front(), flags)));
}

Status CeilingFolder::ask_to_make(const std::string& stem, const Communicator& comm) const {
  const std::string path = files(stem, FileSharing::one_file, comm.size()).front();
  SHARDMARK_RETURN_IF_ERROR(
      comm.agree(comm.is_root() ? Status(open_file(path, O_WRONLY | O_CREAT)) : Status()));
  const Status opened = ask_to_open(stem, O_WRONLY, comm);
  const Status removed = remove(stem, FileSharing::one_file, comm);
  return opened ? removed : opened;
}

Status CeilingFolder::remove(const std::string& stem, FileSharing sharing,
                             const Communicator& comm) const {
  const auto paths = files(stem, sharing, comm.size());
  Status removed;
  if (sharing == FileSharing::file_a_rank) {
    removed = remove_file(of_rank(paths, comm.rank()));
  } else if (comm.is_root()) {
    removed = remove_file(paths.front());
  }
  return comm.agree(removed);
}

Status CeilingFolder::remove_all(const Communicator& comm) const {
  Status removed;
  if (comm.is_root()) {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
    if (error) {
      removed = errno_error("cannot remove", path_, error.value());
    }
  }
  return comm.agree(removed);
}

}  // namespace shardmark::bench
