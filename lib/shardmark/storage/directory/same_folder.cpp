// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/directory/same_folder.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <chrono>
#include <thread>

#include "shardmark/storage/directory/owner_record.hpp"

namespace shardmark {
namespace {

// A name that nobody has asked for before is seen at once, but on file systems whose clients
// believe an old listing.
constexpr std::chrono::seconds patience{5};
constexpr std::chrono::milliseconds pause{20};

}  // namespace

Status check_same_folder(const std::string& path, const std::string& host_of_root) {
  const std::string owner = path + "/" + owner_file_name;
  const auto start = std::chrono::steady_clock::now();
  struct stat info {};
  while (::stat(owner.c_str(), &info) != 0) {
    if (std::chrono::steady_clock::now() - start > patience) {
      const std::size_t slash = path.rfind('/');
      return Error{ErrorCode::invalid_argument,
                   fmt::format("{} on host {} is another directory than on host {}, where rank 0 "
                               "has just made {}: checkpoints need one that all nodes share",
                               path.substr(0, slash), own_record().host, host_of_root,
                               path.substr(slash + 1))};
    }
    std::this_thread::sleep_for(pause);
  }
  return {};
}

}  // namespace shardmark
