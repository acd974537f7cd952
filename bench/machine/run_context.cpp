// SPDX-License-Identifier: Apache-2.0
#include "bench/machine/run_context.hpp"

#include <fmt/format.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>

#include "shardmark/storage/posix/file_stripes.hpp"
#include "shardmark/storage/probe/mount.hpp"

namespace shardmark::bench {
namespace {

/// What tells of the file system and not of this client of it.
std::string comparable_options(const std::string& options) {
  std::string kept;
  std::istringstream words(options);
  for (std::string word; std::getline(words, word, ',');) {
    if (!word.starts_with("clientaddr=")) {
      kept += (kept.empty() ? "" : ",") + word;
    }
  }
  return kept;
}

/// A source that is a server's, "host:/path"; a device of this machine tells nothing.
bool is_server(std::string_view source) {
  return source.find(':') != std::string_view::npos || source.find('@') != std::string_view::npos;
}

}  // namespace

std::vector<std::int64_t> RunContext::ranks_per_node() const {
  std::vector<std::int64_t> counts(topology.host_of_node.size());
  for (const int node : topology.node_of_rank) {
    ++counts[static_cast<std::size_t>(node)];
  }
  return counts;
}

std::vector<ContextEntry> context_entries(const RunContext& context) {
  const BuildInfo& build = context.build;
  const std::vector<std::int64_t> node_of_rank(context.topology.node_of_rank.begin(),
                                               context.topology.node_of_rank.end());
  return {{"shardmark_version", build.version},
          {"commit", build.commit},
          {"dirty", build.dirty},
          {"build_type", build.build_type},
          {"compiler", build.compiler},
          {"mpi", build.mpi},
          {"hdf5", build.hdf5},
          {"fmt", build.fmt},
          {"benchmark", build.google_benchmark},
          {"nodes", std::int64_t{context.topology.num_nodes()}},
          {"ranks", std::int64_t{context.num_ranks()}},
          {"ranks_per_node", context.ranks_per_node()},
          {"hosts", context.topology.host_of_node},
          {"node_of_rank", node_of_rank, false},
          {"cpu", context.cpu},
          {"kernel", context.kernel},
          {"cpus_of_rank", context.cpus_of_rank, false},
          {"filesystem", context.filesystem},
          {"mpi_io", context.mpi_io},
          {"played", context.played},
          {"gives_free_memory_back", context.gives_free_memory_back, false},
          {"scheduler_job", context.scheduler_job, false},
          {"variables", context.variables, false},
          {"suite", context.suite},
          {"config", context.config},
          {"config_hash", context.config_hash},
          {"started", context.started, false},
          {"shuffle_seed", context.shuffle_seed},
          {"command_line", context.command_line, false}};
}

std::string cpu_name() {
  std::string model = "unknown";
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (const std::size_t colon = line.find(": ");
        line.starts_with("model name") && colon != std::string::npos) {
      model = line.substr(colon + 2);
      break;
    }
  }
  return fmt::format("{}, {} cores", model, sysconf(_SC_NPROCESSORS_ONLN));
}

FileSystem file_system_of(const std::string& directory) {
  const Mount mount = mount_of(directory);
  FileSystem found{.type = mount.type,
                   .path = mount.path,
                   .server = is_server(mount.source) ? mount.source : "",
                   .options = comparable_options(mount.options)};
  struct statfs info {};
  if (found.type.empty() && statfs(directory.c_str(), &info) == 0) {
    found.type = fmt::format("{:#x}", static_cast<unsigned long>(info.f_type));
  }
  if (found.type.empty()) {
    found.type = "unknown";
  }
  if (found.path.empty()) {
    found.path = directory;
  }
  std::filesystem::path there = std::filesystem::path(directory).lexically_normal();
  for (std::error_code error; !std::filesystem::exists(there, error) && there.has_parent_path() &&
                              there != there.parent_path();) {
    there = there.parent_path();
  }
  if (const auto striping = striping_of(there.empty() ? "." : there.string())) {
    // Checkpoints are large.
    const StripeComponent stripes = striping->main_component(INT64_MAX);
    found.stripe_size_bytes = stripes.stripe_bytes;
    found.stripe_count = std::max<std::int64_t>(0, stripes.stripe_count);
  }
  return found;
}

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text.data();
}

}  // namespace shardmark::bench
