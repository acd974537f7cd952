// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/posix/folder.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <system_error>

#include "shardmark/storage/posix/file.hpp"
#include "shardmark/storage/posix/notices.hpp"

namespace shardmark {
namespace {

struct CloseFolder {
  void operator()(DIR* folder) const noexcept { ::closedir(folder); }
};

}  // namespace

Result<std::vector<std::string>> list_folder(const std::string& path) {
  const std::unique_ptr<DIR, CloseFolder> folder(::opendir(path.c_str()));
  if (!folder) {
    Error error = errno_error("cannot open folder", path, errno);
    if (errno == ENOTDIR) {
      error.code = ErrorCode::not_found;
    }
    return error;
  }
  std::vector<std::string> names;
  while (true) {
    errno = 0;  // readdir tells its end from a failure by errno alone
    const dirent* entry = ::readdir(folder.get());
    if (entry == nullptr) {
      break;
    }
    const std::string name = entry->d_name;
    if (name != "." && name != "..") {
      names.push_back(name);
    }
  }
  if (errno != 0) {
    Error error = errno_error("cannot list", path, errno);
    error.code = ErrorCode::io_error;  // there it is, whatever errno says
    error.message += fmt::format(" (the listing broke off after {} names)", names.size());
    return error;
  }
  std::sort(names.begin(), names.end());
  return names;
}

bool is_real_folder(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

Status fsync_folder(const std::string& path) {
  const FileDescriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) {
    return errno_error("cannot open folder", path, errno);
  }
  while (::fsync(folder.get()) != 0) {
    if (says_missing(errno)) {
      add_notice(fmt::format(
          "this file system cannot fsync folders ({}): after a power loss the newest step may not "
          "be there",
          std::error_code(errno, std::generic_category()).message()));
      return {};
    }
    if (errno != EINTR) {
      return errno_error("cannot fsync folder", path, errno);
    }
  }
  return {};
}

FolderSize folder_size(const std::string& path) {
  namespace fs = std::filesystem;
  FolderSize size;
  std::error_code error;
  const auto count = [&size](const fs::path& file) {
    struct stat info {};
    if (::lstat(file.c_str(), &info) == 0 && !S_ISDIR(info.st_mode)) {
      ++size.files;
      size.num_bytes += info.st_size;
    }
  };
  count(path);
  for (fs::recursive_directory_iterator entry(path, error);
       !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    count(entry->path());
  }
  return size;
}

Result<bool> holds_name(const std::string& path, std::string_view name) {
  struct stat info {};
  if (::lstat(fmt::format("{}/{}", path, name).c_str(), &info) == 0) {
    return true;
  }
  if (errno == ENOENT || errno == ENOTDIR) {
    return false;
  }
  Error error = errno_error("cannot look into", path, errno);
  error.code = ErrorCode::io_error;
  return error;
}

}  // namespace shardmark
