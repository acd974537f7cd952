// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/measure/file_system_probe.hpp"

#include <fmt/format.h>

#include "bench/machine/build_info.hpp"
#include "shardmark/storage/directory/committed_steps.hpp"
#include "shardmark/storage/posix/file_stripes.hpp"
#include "shardmark/storage/posix/notices.hpp"
#include "shardmark/storage/probe/probe.hpp"

namespace shardmark::bench {

std::string probing_program() {
  const BuildInfo info = build_info();
  return fmt::format("{} {}{}", info.version, info.commit, info.dirty ? "+" : "");
}

Result<FileSystemCertificate> probed_for_save(const std::string& directory,
                                              const StorageConfig& storage,
                                              const Communicator& comm) {
  SHARDMARK_RETURN_IF_ERROR(
      comm.agree(comm.is_root() ? make_checkpoint_root(directory) : Status()));
  SHARDMARK_RETURN_IF_ERROR(comm.agree(
      comm.is_root() ? check_can_set_stripes(directory, storage.stripe_size, storage.stripe_count)
                     : Status()));
  auto found = certificate_of(directory, probing_program(), comm);
  if (!found && found.error().code == ErrorCode::invalid_argument) {
    return found.error();
  }
  FileSystemCertificate certificate;
  if (found) {
    certificate = std::move(*found);
  } else {
    add_notice(fmt::format("this file system was not probed: {}", found.error().message));
  }
  SHARDMARK_RETURN_IF_ERROR(comm.agree(assume(certificate.traits, storage.assume)));
  if (storage.coherent != "auto") {
    certificate.traits.coherent = storage.coherent == "yes" ? Known::yes : Known::no;
  }
  for (const std::string& weakness : weaknesses(certificate.traits)) {
    add_notice(
        fmt::format("{} at {}: {}", certificate.mount.type, certificate.mount.path, weakness));
  }
  return certificate;
}

void follow_traits(const FileSystemTraits& traits, StorageOptions& options) {
  options.traits = traits;
  options.o_direct = options.o_direct && traits.o_direct != Known::no;
}

}  // namespace shardmark::bench
