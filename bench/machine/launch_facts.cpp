// SPDX-License-Identifier: Apache-2.0
#include "bench/machine/launch_facts.hpp"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <utility>

namespace shardmark::bench {
namespace {

using CpuWords = std::array<std::int64_t, sizeof(cpu_set_t) / sizeof(std::int64_t)>;

CpuWords own_cpus() {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  static_cast<void>(sched_getaffinity(0, sizeof(cpus), &cpus));
  CpuWords words{};
  std::memcpy(words.data(), &cpus, sizeof(cpus));
  return words;
}

}  // namespace

std::string kernel_name() {
  struct utsname names {};
  return uname(&names) == 0 ? fmt::format("{} {}", names.sysname, names.release) : "unknown";
}

std::string scheduler_job() {
  constexpr std::pair<const char*, const char*> schedulers[] = {
      {"slurm", "SLURM_JOB_ID"}, {"pbs", "PBS_JOBID"}, {"flux", "FLUX_JOB_ID"},
      {"lsf", "LSB_JOBID"},      {"sge", "JOB_ID"},
  };
  for (const auto& [name, variable] : schedulers) {
    if (const char* const job = std::getenv(variable); job != nullptr && *job != '\0') {
      return fmt::format("{} {}", name, job);
    }
  }
  return "";
}

std::map<std::string, std::string> steering_variables() {
  constexpr const char* names[] = {
      "HDF5_DRIVER",      "HDF5_PLUGIN_PATH",     "HDF5_USE_FILE_LOCKING", "LD_PRELOAD",
      "MALLOC_ARENA_MAX", "MPICH_MPIIO_CB_ALIGN", "MPICH_MPIIO_HINTS",     "MPIR_CVAR_CH4_NETMOD",
      "OMPI_MCA_btl",     "OMPI_MCA_fs",          "OMPI_MCA_io",           "OMPI_MCA_mtl",
      "OMPI_MCA_pml",     "OMP_NUM_THREADS",      "ROMIO_FSTYPE_FORCE",    "ROMIO_HINTS",
      "SLURM_CPU_BIND",   "SLURM_JOB_PARTITION",  "SLURM_MPI_TYPE",        "UCX_NET_DEVICES",
      "UCX_TLS",          "XDG_CACHE_HOME",
  };
  std::map<std::string, std::string> set;
  for (const char* const name : names) {
    if (const char* const value = std::getenv(name); value != nullptr) {
      set[name] = value;
    }
  }
  return set;
}

std::string cpu_list(const cpu_set_t& cpus) {
  std::string list;
  constexpr std::size_t end = CPU_SETSIZE;
  for (std::size_t cpu = 0; cpu < end; ++cpu) {
    if (!CPU_ISSET(cpu, &cpus)) {
      continue;
    }
    const std::size_t first = cpu;
    while (cpu + 1 < end && CPU_ISSET(cpu + 1, &cpus)) {
      ++cpu;
    }
    list += fmt::format("{}{}", list.empty() ? "" : ",", first);
    list += cpu > first ? fmt::format("-{}", cpu) : "";
  }
  return list;
}

std::vector<std::string> cpus_of_ranks(const Communicator& comm) {
  const CpuWords own = own_cpus();
  const std::vector<std::int64_t> all = comm.gather(std::span<const std::int64_t>(own));
  std::vector<std::string> lists;
  for (std::size_t at = 0; at < all.size(); at += own.size()) {
    cpu_set_t cpus;
    std::memcpy(&cpus, all.data() + at, sizeof(cpus));
    lists.push_back(cpu_list(cpus));
  }
  return lists;
}

}  // namespace shardmark::bench
