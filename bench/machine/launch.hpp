// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace shardmark::bench {

/// How this process came to be, told by the environment alone: no MPI is started to ask.
struct Launch {
  bool launched = false;  // by mpirun, srun or the like
  int rank = 0;           // 0 if not launched
  int size = 1;           // 1 if not launched; 0 where the launcher does not say
};

/// Local. Launched means that OMPI_COMM_WORLD_SIZE, PMIX_RANK or PMI_RANK is set. The
/// size is that of OMPI_COMM_WORLD_SIZE, PMI_SIZE or SLURM_NTASKS.
Launch detect_launch();

}  // namespace shardmark::bench
