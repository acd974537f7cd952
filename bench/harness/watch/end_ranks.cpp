// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/watch/end_ranks.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>
#include <vector>

#include "bench/harness/watch/process_state.hpp"
#include "bench/text/error_report.hpp"

namespace shardmark::bench {
namespace {

using std::chrono::milliseconds;

// Longer than ranks take to leave by themselves.
constexpr milliseconds patience{5000};
constexpr milliseconds nap{20};

bool is_gone(int pid) {
  const char letter = process_letter(pid);
  return letter == 'Z' || letter == 'X' || letter == 'x';
}

bool is_stopped(int pid) {
  const char letter = process_letter(pid);
  return letter == 'T' || letter == 't';
}

/// Rank 0 first: it has to put away what is unfinished.
std::vector<int> processes(WatchBoard& board) {
  std::vector<int> pids;
  for (int i = 0; i < board.header().num_slots; ++i) {
    RankSlot& slot = board.slot(static_cast<std::size_t>(i));
    pids.insert(slot.rank == 0 ? pids.begin() : pids.end(), slot.pid);
  }
  return pids;
}

void print_document(const std::string& message, int late_rank) {
  const std::string text = error_document(late_exit_code, message, late_rank);
  static_cast<void>(::write(STDOUT_FILENO, text.data(), text.size()) + 0);
}

}  // namespace

int leave_signal() noexcept {
  return SIGUSR2;
}

void end_ranks(WatchBoard& board, const std::string& message, int late_rank) {
  const bool has_root = board.slot(0).rank == 0;
  if (has_root && board.header().is_json) {
    print_document(message, late_rank);
  }
  std::vector<int> left = processes(board);
  const bool all_stopped = std::ranges::all_of(left, is_stopped);
  for (int i = 0; i < board.header().num_slots; ++i) {
    board.slot(static_cast<std::size_t>(i)).must_leave = true;
  }
  for (const int pid : left) {
    ::kill(pid, leave_signal());
    // Rank 0 leaves by itself, and the exit code is somebody's. Any other one would only go on with
    // what it was stopped in.
    if (is_stopped(pid) && (all_stopped || (has_root && pid == left.front()))) {
      ::kill(pid, SIGCONT);
    }
  }
  const auto start = std::chrono::steady_clock::now();
  while (!left.empty() && std::chrono::steady_clock::now() - start < patience) {
    std::this_thread::sleep_for(nap);
    std::erase_if(left, is_gone);
    if (std::ranges::all_of(left, is_stopped)) {
      break;
    }
  }
  for (const int pid : left) {
    ::kill(pid, SIGKILL);
  }
  ::_exit(late_exit_code);
}

}  // namespace shardmark::bench
