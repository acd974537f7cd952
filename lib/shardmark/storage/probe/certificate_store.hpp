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

/// Local. Keeps one. A folder that cannot be written is no mistake.
void keep_certificate(const FileSystemCertificate& certificate);

/// Local. Where they are kept; empty if this user has no place for it.
std::string certificate_folder();

}  // namespace shardmark
