// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/report/text_file.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace shardmark::bench {
namespace {

Error file_error(std::string_view action, const std::string& path, int error_number) {
  const ErrorCode code = error_number == ENOSPC || error_number == EDQUOT ? ErrorCode::no_space
                         : error_number == ENOENT                         ? ErrorCode::not_found
                                                                          : ErrorCode::io_error;
  return {code, fmt::format("{} {}: {}", action, path, std::strerror(error_number))};
}

}  // namespace

Status replace_text_file(const std::string& path, std::string_view text) {
  const std::string temporary = fmt::format("{}.{}.tmp", path, getpid());
  std::FILE* file = std::fopen(temporary.c_str(), "we");
  if (file == nullptr) {
    return file_error("cannot create", temporary, errno);
  }
  int failure = 0;
  if (std::fwrite(text.data(), 1, text.size(), file) != text.size() || std::fflush(file) != 0) {
    failure = errno;
  }
  if (std::fclose(file) != 0 && failure == 0) {
    failure = errno;
  }
  if (failure == 0 && std::rename(temporary.c_str(), path.c_str()) != 0) {
    failure = errno;
  }
  if (failure != 0) {
    static_cast<void>(std::remove(temporary.c_str()));
    return file_error("cannot write", path, failure);
  }
  return {};
}

Status make_directory(const std::string& path, std::string_view option) {
  if (mkdir(path.c_str(), 0777) != 0 && errno != EEXIST) {
    Error error = file_error(fmt::format("{}: cannot create directory", option), path, errno);
    error.code = errno == ENOENT ? ErrorCode::not_found : ErrorCode::invalid_argument;
    return error;
  }
  struct stat info {};
  if (stat(path.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("{}: {} is not a directory", option, path)};
  }
  if (access(path.c_str(), W_OK | X_OK) != 0) {
    return Error{ErrorCode::invalid_argument,
                 fmt::format("{}: cannot write directory {}", option, path)};
  }
  return {};
}

}  // namespace shardmark::bench
