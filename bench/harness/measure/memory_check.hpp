// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "bench/config/config.hpp"
#include "bench/machine/memory_room.hpp"
#include "shardmark/core/result.hpp"
#include "shardmark/mpi/communicator.hpp"
#include "shardmark/workload/workload.hpp"

namespace shardmark::bench {

/// What a rank holds at its fullest, beside the program itself.
struct MemoryNeed {
  std::int64_t tensors = 0;
  std::int64_t staging =
      0;  // its share of what its node stages together and what libraries keep, included

  std::int64_t num_bytes() const noexcept { return tensors + staging; }
  /// Local. The fuller of the two.
  static MemoryNeed larger(const MemoryNeed& a, const MemoryNeed& b) {
    return a.num_bytes() < b.num_bytes() ? b : a;
  }
};

/// Local. Of a rank that saves or loads so many bytes of tensors, on a node of so many ranks.
MemoryNeed memory_need(const Config& config, std::int64_t tensors, int ranks_on_node);

/// Local. Bytes of the tensors that this rank holds under a configuration.
using TensorBytes = std::function<Result<std::int64_t>(const Config& config)>;

/// Collective, before anything is allocated. Whether the ranks of each node fit below all of its
/// limits together, under the fullest of the configurations. Errors: those of `tensor_bytes`;
/// invalid_argument naming what is needed, which limit leaves what, and the largest model.scale
/// that fits. `rooms`: memory_rooms().
Status check_memory(std::span<const Config> configs, const TensorBytes& tensor_bytes,
                    std::span<const MemoryRoom> rooms, const Communicator& comm);

/// Local. A rank's workload under a configuration.
using MakeWorkload = std::function<Result<Workload>(const Config& config, Memory memory)>;

/// Collective. check_memory(), then the workload with its memory; the status is the same on all
/// ranks.
Result<Workload> make_workload_that_fits(const Config& config, const MakeWorkload& make,
                                         const Communicator& comm);

}  // namespace shardmark::bench
