// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sched.h>

#include <map>
#include <string>
#include <vector>

#include "shardmark/mpi/communicator.hpp"

namespace shardmark::bench {

/// Local. Name and release of the kernel, "Linux 6.1.0".
std::string kernel_name();

/// Local. "slurm 1234", of the scheduler whose job this process runs in; empty without one.
std::string scheduler_job();

/// Local. Of a closed list, what steers MPI, MPI-IO, HDF5 and threads and is set.
std::map<std::string, std::string> steering_variables();

/// Local. "0-3,8".
std::string cpu_list(const cpu_set_t& cpus);

/// Collective. The processors that each rank may run on, by rank, on rank 0 only.
std::vector<std::string> cpus_of_ranks(const Communicator& comm);

}  // namespace shardmark::bench
