// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "shardmark/core/result.hpp"

namespace shardmark::bench {

/// How this process came to be, told by the environment alone: no MPI is started to ask. Only what
/// belongs to one task counts: variables of an allocation are there for a process started by hand
/// in it too.
struct Launch {
  bool launched = false;         // by mpirun, srun or the like
  int rank = 0;                  // 0 if not launched
  int size = 1;                  // 1 if not launched; 0 where the launcher does not say
  std::string variables;         // that said so, for messages
  bool bare_step = false;        // a task of Slurm that got neither PMIx nor PMI: srun --mpi=none
  bool has_pmix_server = false;  // that knows how many there are
};

/// Local. Asks, in this order, the variables of Open MPI, of PMI (Hydra, srun --mpi=pmi2), of PALS,
/// of Flux, of a step of Slurm, of PMIx. Where the one that numbers the tasks does not say of how
/// many, what others of them say counts.
Launch detect_launch();

/// Local, before MPI is started. Errors: invalid_argument where Open MPI, which `library` says it
/// is, would end the process with words of its own, for the step gives it nothing to meet by.
Status check_tasks_can_meet(const Launch& launch, const std::string& library);

/// Local. Errors: invalid_argument where the launcher started several tasks and MPI made a world of
/// each: they would work on the same files without knowing of each other; also for task 0 where
/// nobody knows whether there are more. `library` is what MPI says of itself.
Status check_world_is_whole(const Launch& launch, int world_size, const std::string& library);

}  // namespace shardmark::bench
