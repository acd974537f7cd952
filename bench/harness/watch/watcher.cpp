// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/watch/watcher.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "bench/harness/watch/watch_loop.hpp"

namespace shardmark::bench {
namespace {

/// Of this process; what was made is never taken away, since other threads may look at it.
struct Watched {
  WatchBoard* board = nullptr;
  RankSlot* slot = nullptr;
  int watcher = 0;     // own child
  int life_line = -1;  // its other end is the child's: it ends with this process
};

Watched& watched() {
  static Watched instance;
  return instance;
}

/// Lets the watcher read what the kernel shows of this process to debuggers alone.
void show_system_calls_to(int watcher) {
#ifdef PR_SET_PTRACER
  static_cast<void>(::prctl(PR_SET_PTRACER, watcher, 0, 0, 0));
#else
  static_cast<void>(watcher);
#endif
}

void publish_in(RankSlot& slot, int rank) {
  slot.rank = rank;
  publish_progress_at(slot.progress);
  slot.pid = ::getpid();
}

/// Collective over `node`: whether all can, and have opened it.
bool all_can(bool can, const Communicator& node) {
  return node.all_reduce(std::int64_t{can}, MPI_MIN) == 1;
}

void let_go_of_own_watcher() {
  ::close(std::exchange(watched().life_line, -1));
  ::waitpid(std::exchange(watched().watcher, 0), nullptr, 0);
}

/// Collective over `node`. The first rank's board, once all have it.
void move_to_first_board(WatchBoard& own, const Communicator& node, const Communicator& comm) {
  const bool first = node.is_root();
  std::string path = first ? own.path() : "";
  node.broadcast(path);
  std::vector<std::uint64_t> id = {first ? own.header().id : 0};
  node.broadcast(id);
  std::unique_ptr<WatchBoard> joined;
  if (!first) {
    if (auto board = WatchBoard::join(path, id.front())) {
      joined = std::move(*board);
    }
  }
  if (!all_can(first || joined != nullptr, node)) {
    return;
  }
  if (!first) {
    watched().board = joined.release();
    watched().slot = &watched().board->take_slot(static_cast<std::size_t>(node.rank()));
    publish_in(*watched().slot, comm.rank());
    show_system_calls_to(watched().board->header().watcher);
    let_go_of_own_watcher();
  }
  node.barrier();  // from here on all places are taken
  if (first) {
    own.header().num_slots = node.size();
  }
}

}  // namespace

void fork_watcher() {
  auto board = WatchBoard::make();
  std::array<int, 2> ends{};
  if (!board || ::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return;
  }
  WatchBoard* const made = board->release();
  RankSlot& slot = made->slot(0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[1]);
    watch(*made, ends[0]);
  }
  ::close(ends[0]);
  if (child < 0) {
    ::close(ends[1]);
    return;
  }
  watched() = {made, &slot, child, ends[1]};
  made->header().watcher = child;
  publish_in(slot, 0);
  show_system_calls_to(child);
}

void watch_together(const Communicator& comm) {
  RankSlot* const slot = watched().slot;
  WatchBoard* const board = watched().board;
  if (!all_can(board != nullptr, comm) || slot == nullptr || board == nullptr) {
    return;
  }
  slot->rank = comm.rank();
  board->header().num_ranks = comm.size();
  if (comm.size() == 1) {
    return;
  }
  auto node = Communicator::split_by_node(comm);
  if (!node) {
    return;
  }
  if (node->size() > 1 && static_cast<std::size_t>(node->size()) <= WatchBoard::max_slots) {
    move_to_first_board(*board, *node, comm);
  }
  node->close();
}

void set_late_action(bool ends, bool is_json) {
  if (watched().board != nullptr) {
    watched().board->header().ends = ends;
    watched().board->header().is_json = is_json;
  }
}

bool told_to_leave() noexcept {
  return watched().slot != nullptr && watched().slot->must_leave;
}

bool other_nodes_watched() noexcept {
  WatchBoard* const board = watched().board;
  return board != nullptr && board->header().num_slots < board->header().num_ranks;
}

RankSlot& own_slot() noexcept {
  static RankSlot unwatched;
  return watched().slot != nullptr ? *watched().slot : unwatched;
}

}  // namespace shardmark::bench
