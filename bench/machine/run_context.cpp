// SPDX-License-Identifier: Apache-2.0
#include "bench/machine/run_context.hpp"

#include <fmt/format.h>
#include <mpi.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>

namespace shardmark::bench {
namespace {

std::string existing_part_of(const std::string& directory) {
  std::error_code error;
  std::filesystem::path path = std::filesystem::absolute(directory, error);
  while (!path.empty() && path != path.root_path() && !std::filesystem::exists(path, error)) {
    path = path.parent_path();
  }
  const auto resolved = std::filesystem::canonical(path, error);
  return error ? path.string() : resolved.string();
}

bool lies_below(std::string_view path, std::string_view mount) {
  return mount == "/" || path == mount ||
         (path.starts_with(mount) && path.size() > mount.size() && path[mount.size()] == '/');
}

std::map<std::string, std::string> hints_of(MPI_Info info) {
  std::map<std::string, std::string> hints;
  int num_keys = 0;
  MPI_Info_get_nkeys(info, &num_keys);
  for (int n = 0; n < num_keys; ++n) {
    std::array<char, MPI_MAX_INFO_KEY + 1> key{};
    std::array<char, MPI_MAX_INFO_VAL + 1> value{};
    int found = 0;
    MPI_Info_get_nthkey(info, n, key.data());
    MPI_Info_get(info, key.data(), MPI_MAX_INFO_VAL, value.data(), &found);
    if (found != 0) {
      hints[key.data()] = value.data();
    }
  }
  return hints;
}

std::string component_of(const std::map<std::string, std::string>& hints) {
  // ROMIO names its own hints on every file; OMPIO has none of that name.
  for (const auto& [key, value] : hints) {
    if (key.starts_with("romio")) {
      return "romio";
    }
  }
#ifdef OPEN_MPI
  return "ompio";
#else
  return "unknown";
#endif
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
          {"filesystem", context.filesystem},
          {"mpi_io", context.mpi_io},
          {"gives_free_memory_back", context.gives_free_memory_back, false},
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
  const std::string path = existing_part_of(directory);
  FileSystem found;
  std::ifstream mounts("/proc/mounts");
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream words(line);
    std::string device;
    std::string mount;
    std::string type;
    words >> device >> mount >> type;
    // The last of equal length is the one on top.
    if (lies_below(path, mount) && mount.size() >= found.path.size()) {
      found = {type, mount};
    }
  }
  struct statfs info {};
  if (found.type.empty() && statfs(path.c_str(), &info) == 0) {
    found.type = fmt::format("{:#x}", static_cast<unsigned long>(info.f_type));
  }
  if (found.type.empty()) {
    found.type = "unknown";
  }
  if (found.path.empty()) {
    found.path = path;
  }
  return found;
}

MpiIo mpi_io_of(const std::string& directory) {
  MpiIo io{"unknown", {}};
  const std::string path =
      fmt::format("{}/.shardmark-hints-{}", existing_part_of(directory), getpid());
  MPI_File file = MPI_FILE_NULL;
  const int mode = MPI_MODE_CREATE | MPI_MODE_WRONLY | MPI_MODE_DELETE_ON_CLOSE;
  if (MPI_File_open(MPI_COMM_SELF, path.c_str(), mode, MPI_INFO_NULL, &file) != MPI_SUCCESS) {
    return io;
  }
  MPI_Info info = MPI_INFO_NULL;
  if (MPI_File_get_info(file, &info) == MPI_SUCCESS && info != MPI_INFO_NULL) {
    io.hints = hints_of(info);
    MPI_Info_free(&info);
  }
  MPI_File_close(&file);
  io.component = component_of(io.hints);
  return io;
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
