// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "bench/harness/watch/watch_board.hpp"
#include "shardmark/mpi/communicator.hpp"

namespace shardmark::bench {

/// What every rank takes part in. A process beside each node's ranks, which needs neither MPI nor
/// storage, looks at what they show on a board (watch_board.hpp). Past the deadline of an operation
/// it names those that are late on stderr and, where run.late says so, ends this node's ranks with
/// exit code 3; see late_message().

/// Local; once, before MPI starts and before there are threads. Makes the board and forks the
/// watcher, which leaves when this process does. Where that cannot be, nothing is watched.
void fork_watcher();

/// Collective. From here on the node's first rank's watcher watches all of them, and the others'
/// leave. Where ranks cannot share memory, each is watched by its own.
void watch_together(const Communicator& comm);

/// Local. How deadlines that pass are told, and what then happens. `is_json`: standard output is
/// rank 0's one document, which the watcher then writes.
void set_late_action(bool ends, bool is_json);

/// Local. Whether the watcher of this node has asked this rank to leave.
bool told_to_leave() noexcept;

/// Local. More than one node is watched: their watchers speak at about the same time.
bool other_nodes_watched() noexcept;

/// This rank's place on the board; a place that nobody looks at where nothing is watched.
RankSlot& own_slot() noexcept;

}  // namespace shardmark::bench
