// SPDX-License-Identifier: Apache-2.0
#include "bench/machine/launch.hpp"

#include <cstdlib>
#include <initializer_list>

namespace shardmark::bench {

Launch detect_launch() {
  Launch launch;
  launch.launched = std::getenv("OMPI_COMM_WORLD_SIZE") != nullptr;
  for (const char* variable : {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK"}) {
    if (const char* text = std::getenv(variable); text != nullptr) {
      launch.launched = true;
      launch.rank = static_cast<int>(std::strtol(text, nullptr, 10));
      break;
    }
  }
  if (!launch.launched) {
    return launch;
  }
  launch.size = 0;
  for (const char* variable : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_NTASKS"}) {
    if (const char* text = std::getenv(variable); text != nullptr) {
      launch.size = static_cast<int>(std::strtol(text, nullptr, 10));
      break;
    }
  }
  return launch;
}

}  // namespace shardmark::bench
