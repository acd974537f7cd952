// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/run/interruption.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>

#include "bench/harness/run/activity.hpp"
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

[[noreturn]] void leave(int signal_number, bool is_root) {
  if (const int code = final_exit_code; code != still_at_work) {
    _exit(code);
  }
  if (!is_root) {
    // A launcher kills all ranks once one has left: rank 0 goes first.
    std::this_thread::sleep_for(std::chrono::milliseconds(800));
    _exit(1);
  }
  // For good: what the other threads see from here on, files that are gone, is no result.
  results_mutex().lock();
  hide_unfinished();
  // Large files take their time to go, and a launcher kills after a second: a child of its own
  // session outlives that.
  const pid_t child = ::fork();
  if (child == 0) {
    ::setsid();
  }
  if (child <= 0) {
    remove_unfinished();
  }
  if (child == 0) {
    _exit(0);
  }
  std::string message =
      fmt::format("\nshardmark: error: interrupted by {}; nothing unfinished is left behind\n",
                  name_of(signal_number));
  {
    const std::scoped_lock lock(text_mutex());
    if (!last_words().empty()) {
      message += last_words() + "\n";
    }
  }
  // What NFS keeps of a file that is removed while somebody has it open is kept for nobody here.
  let_go_of_unfinished();
  if (::write(STDERR_FILENO, message.data(), message.size()) >= 0 && child > 0) {
    ::waitpid(child, nullptr, 0);
  }
  _exit(1);
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
  for (const int signal_number : {SIGINT, SIGTERM, SIGHUP, SIGUSR1}) {
    sigaddset(&signals, signal_number);
  }
  if (pthread_sigmask(SIG_BLOCK, &signals, nullptr) != 0) {
    return;
  }
  std::thread([signals, is_root] {
    int signal_number = 0;
    while (sigwait(&signals, &signal_number) != 0 || signal_number == SIGUSR1) {
      if (signal_number == SIGUSR1) {
        say_where_this_is();
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
