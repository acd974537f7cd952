// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/probe/certificate_store.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <span>
#include <system_error>

#include "shardmark/core/checksum.hpp"
#include "shardmark/storage/directory/step_names.hpp"
#include "shardmark/storage/posix/file.hpp"

namespace shardmark {
namespace {

constexpr std::int64_t seconds_of_a_day = 86400;
constexpr std::int64_t max_certificate_bytes = std::int64_t{1} << 20;

/// All that a certificate holds for.
std::string identity_of(const FileSystemCertificate& certificate) {
  return fmt::format("{}\n{}\n{}\n{}\n{}\n{}\n{}", certificate.mount.path, certificate.mount.type,
                     certificate.mount.source, certificate.mount.options, certificate.kernel,
                     certificate.program, fmt::join(certificate.hosts, "\n"));
}

std::string file_of(const FileSystemCertificate& certificate) {
  const std::string folder = certificate_folder();
  const std::string identity = identity_of(certificate);
  return folder.empty() ? folder
                        : fmt::format("{}/file-system-{:016x}", folder,
                                      xxh3(std::as_bytes(std::span(identity))));
}

}  // namespace

std::string certificate_folder() {
  // The specification of cache folders wants a relative path ignored.
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache == '/') {
    return fmt::format("{}/shardmark", cache);
  }
  const char* home = std::getenv("HOME");
  return home != nullptr && *home == '/' ? fmt::format("{}/.cache/shardmark", home) : "";
}

std::optional<FileSystemCertificate> find_certificate(const FileSystemCertificate& wanted) {
  const std::string path = file_of(wanted);
  const auto text = path.empty() ? Result<std::string>(std::string())
                                 : read_small_file(path, max_certificate_bytes);
  auto found = text ? parse_certificate(*text) : std::nullopt;
  const std::int64_t now = std::time(nullptr);
  if (!found || identity_of(*found) != identity_of(wanted) || found->time > now ||
      now - found->time > seconds_of_a_day) {
    return std::nullopt;
  }
  return found;
}

bool is_lasting(const FileSystemCertificate& certificate) {
  for (const int error_number :
       {ENOSPC, EDQUOT, EFBIG, EIO, ENOMEM, EMFILE, ENFILE, ESTALE, ETIMEDOUT, EAGAIN, EINTR}) {
    const std::string text = std::error_code(error_number, std::generic_category()).message();
    for (const auto& [trait, reason] : certificate.reasons) {
      if (reason.find(text) != std::string::npos) {
        return false;
      }
    }
  }
  return true;
}

bool has_preloaded_library() {
  const char* const libraries = std::getenv("LD_PRELOAD");
  return libraries != nullptr && *libraries != '\0';
}

void keep_certificate(const FileSystemCertificate& certificate) {
  const std::string path = file_of(certificate);
  if (path.empty()) {
    return;
  }
  std::error_code ignored;
  std::filesystem::create_directories(certificate_folder(), ignored);
  const std::string fresh = fmt::format("{}.{}", path, make_save_id());
  const std::string text = to_text(certificate);
  bool written = false;
  {
    const auto file = open_file(fresh, O_WRONLY | O_CREAT | O_EXCL);
    written = file && write_at(*file, fresh, std::as_bytes(std::span(text)), 0);
  }
  if (!written || std::rename(fresh.c_str(), path.c_str()) != 0) {
    ::unlink(fresh.c_str());
  }
}

}  // namespace shardmark
