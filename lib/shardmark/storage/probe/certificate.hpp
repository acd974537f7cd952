// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "shardmark/storage/format/file_system_traits.hpp"
#include "shardmark/storage/probe/mount.hpp"

namespace shardmark {

/// What a file system does, found by doing it.
struct FileSystemCertificate {
  Mount mount;
  std::vector<std::string> hosts;  // of the nodes that tried, by node
  std::string kernel;
  std::string program;    // version and commit of who tried
  std::int64_t time = 0;  // seconds since 1970
  FileSystemTraits traits;
  std::map<std::string, std::string> reasons;  // by trait: how it shows
  std::map<std::string, double> call_s;        // seconds of one metadata call, the median of some
  std::int64_t free_bytes = -1;                // -1: it does not say
  std::int64_t free_files = -1;

  friend bool operator==(const FileSystemCertificate&, const FileSystemCertificate&) = default;
};

/// Lines of "key value", for the cache; any reader finds back what it knows.
std::string to_text(const FileSystemCertificate& certificate);
std::optional<FileSystemCertificate> parse_certificate(const std::string& text);

/// What is weaker there than on a local file system, each with what that means. In sentences
/// without full stops.
std::vector<std::string> weaknesses(const FileSystemTraits& traits);

/// What storage does there, by name: o_direct, proof, exchange, sweep, visible, cold.
std::vector<std::pair<std::string, std::string>> decisions(const FileSystemTraits& traits);

}  // namespace shardmark
