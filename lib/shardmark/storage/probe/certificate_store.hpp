// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include "shardmark/storage/probe/certificate.hpp"

namespace shardmark {

// Certificates of a day, in the user's cache folder ($XDG_CACHE_HOME/shardmark, else
// ~/.cache/shardmark): for one mount with its options and server, kernel, program and set of nodes.

/// Local. The kept one of the same place, nodes and program as `wanted`, whose findings are not
/// looked at. Nothing if there is none, or none of the last day.
std::optional<FileSystemCertificate> find_certificate(const FileSystemCertificate& wanted);

/// Local. True if what was found is so tomorrow too: not what failed for want of room, memory or
/// descriptors, or by an error of the device.
bool is_lasting(const FileSystemCertificate& certificate);

/// Local. True where a library stands between this process and the kernel (LD_PRELOAD): what is
/// found then holds for this process alone.
bool has_preloaded_library();

/// Local. Keeps one. A folder that cannot be written is no mistake.
void keep_certificate(const FileSystemCertificate& certificate);

/// Local. Where they are kept; empty if this user has no place for it.
std::string certificate_folder();

}  // namespace shardmark
