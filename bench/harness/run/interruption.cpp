// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/run/interruption.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <thread>

#include "bench/harness/run/activity.hpp"
#include "bench/harness/watch/end_ranks.hpp"
#include "bench/harness/watch/watcher.hpp"
#include "shardmark/mpi/environment.hpp"
#include "shardmark/storage/directory/unfinished.hpp"

namespace shardmark::bench {
namespace {

std::mutex& text_mutex() {
  static std::mutex instance;
  return instance;
}

std::mutex& results_mutex() {
  static std::mutex instance;
  return instance;
}

std::string& last_words() {
  static std::string instance;
  return instance;
}

const char* name_of(int signal_number) {
  return signal_number == SIGINT ? "SIGINT" : signal_number == SIGTERM ? "SIGTERM" : "SIGHUP";
}

constexpr int still_at_work = -1;
std::atomic<int> final_exit_code = still_at_work;

// For what only renames, and waits for one file to be written; a launcher kills sooner.
constexpr std::chrono::seconds answer_limit{5};
// For the removal of large files.
constexpr std::chrono::seconds removal_limit{120};

/// Large files take their time to go, and a launcher kills after a second: a child of its own
/// session outlives that. -1 without one.
pid_t remove_by_child() {
  const pid_t child = ::fork();
  if (child == 0) {
    ::setsid();
    remove_unfinished();
    _exit(0);
  }
  return child;
}

/// What is to be said at the end, on a line of its own; empty: nothing.
std::string last_line() {
  const std::scoped_lock lock(text_mutex());
  return last_words().empty() ? std::string() : last_words() + "\n";
}

/// How far the putting away has come: out of sight at once, removed when that is done.
struct PuttingAway {
  std::promise<void> hidden;
  std::promise<void> removed;
};

/// In a thread of its own: whoever holds the results or what is unfinished may be inside a call
/// that storage does not answer, and this too.
std::shared_ptr<PuttingAway> begin_putting_away() {
  auto steps = std::make_shared<PuttingAway>();
  std::thread([steps] {
    // For good: what the other threads see from here on, files that are gone, is no result.
    results_mutex().lock();
    hide_unfinished();
    const pid_t child = remove_by_child();
    // What NFS keeps of a file that is removed while somebody has it open is kept for nobody here.
    let_go_of_unfinished();
    steps->hidden.set_value();
    if (child > 0) {
      ::waitpid(child, nullptr, 0);
    }
    remove_unfinished();  // what a save had begun when the child was made, and has put there since
    steps->removed.set_value();
  }).detach();
  return steps;
}

bool is_done_within(std::promise<void>& step, std::chrono::milliseconds limit) {
  return step.get_future().wait_for(limit) == std::future_status::ready;
}

[[noreturn]] void leave(int signal_number, bool is_root) {
  if (const int code = final_exit_code; code != still_at_work) {
    _exit(code);
  }
  if (!is_root) {
    // A launcher kills all ranks once one has left: rank 0 goes first.
    std::this_thread::sleep_for(std::chrono::milliseconds(800));
    _exit(1);
  }
  const auto steps = begin_putting_away();
  const bool hidden = is_done_within(steps->hidden, answer_limit);
  const std::string message =
      fmt::format("\nshardmark: error: interrupted by {}; {}\n", name_of(signal_number),
                  hidden ? "nothing unfinished is left behind"
                         : "storage does not answer, what is unfinished is left to the next save") +
      last_line();
  if (::write(STDERR_FILENO, message.data(), message.size()) >= 0 && hidden) {
    is_done_within(steps->removed, removal_limit);  // the child goes on by itself
  }
  _exit(1);
}

/// Past a deadline; the watcher has spoken. Storage may be what hangs, so nothing is waited for
/// long: what is still there is swept by whoever comes next.
[[noreturn]] void leave_late(bool is_root) {
  using std::chrono::milliseconds;
  // Other nodes' watchers speak at about the same time, and a launcher ends all ranks at once.
  std::this_thread::sleep_for(milliseconds(other_nodes_watched() ? 500 : 0));
  if (!is_root) {
    std::this_thread::sleep_for(milliseconds(1500));
    leave_without_finalize(late_exit_code, is_root);
  }
  is_done_within(begin_putting_away()->removed, milliseconds(1000));
  const std::string line = last_line();
  static_cast<void>(::write(STDERR_FILENO, line.data(), line.size()) + 0);
  leave_without_finalize(late_exit_code, is_root);
}

/// In one write, so that the lines of many ranks do not mix.
void say_where_this_is() {
  const std::string line = describe_activity() + "\n";
  static_cast<void>(::write(STDERR_FILENO, line.data(), line.size()) + 0);
}

}  // namespace

void watch_for_interruption(bool is_root) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal_number : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, leave_signal()}) {
    sigaddset(&signals, signal_number);
  }
  if (pthread_sigmask(SIG_BLOCK, &signals, nullptr) != 0) {
    return;
  }
  std::thread([signals, is_root] {
    int signal_number = 0;
    while (sigwait(&signals, &signal_number) != 0 || signal_number == SIGUSR1 ||
           signal_number == leave_signal()) {
      if (signal_number == SIGUSR1) {
        say_where_this_is();
      } else if (signal_number == leave_signal() && told_to_leave()) {
        leave_late(is_root);
      }
      signal_number = 0;
    }
    leave(signal_number, is_root);
  }).detach();
}

void after_interruption_leave_with(int exit_code) noexcept {
  final_exit_code = exit_code;
}

std::unique_lock<std::mutex> hold_results() {
  return std::unique_lock(results_mutex());
}

void on_interruption_say(const std::string& text) {
  const std::scoped_lock lock(text_mutex());
  last_words() = text;
}

}  // namespace shardmark::bench
