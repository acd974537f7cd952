// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/watch/watch_loop.hpp"

#include <dirent.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>
#include <optional>

#include "bench/harness/watch/end_ranks.hpp"
#include "bench/harness/watch/late_ranks.hpp"
#include "bench/harness/watch/late_report.hpp"
#include "shardmark/profile/phase.hpp"

namespace shardmark::bench {
namespace {

constexpr std::int64_t ns_a_second = 1'000'000'000;
constexpr std::int64_t longest_sleep_ns = ns_a_second / 4;
constexpr std::int64_t shortest_sleep_ns = ns_a_second / 50;
constexpr int sleeps_a_deadline = 16;
// Of what the kernel counts for a process, less than this are words between processes.
constexpr std::int64_t least_io_bytes = 4096;

double seconds(std::int64_t ns) {
  return static_cast<double>(ns) / static_cast<double>(ns_a_second);
}

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "unknown";
}

/// An operation of the rank that is first past its deadline, or will be.
struct Operation {
  std::int64_t number = 0;
  std::int64_t begun_ns = 0;
  std::int64_t deadline_ns = std::numeric_limits<std::int64_t>::max();
  std::string what;

  std::int64_t limit_ns() const noexcept { return deadline_ns - begun_ns; }
};

/// What the watcher remembers of one rank.
struct Remembered {
  std::int64_t operation = -1;
  std::int64_t bytes_before = 0;  // the operation
  std::int64_t bytes = 0;
  std::int64_t io_before = 0;
  std::int64_t io = 0;
  std::int64_t moved_ns = 0;  // when one of them changed last
};

class Watch {
 public:
  explicit Watch(WatchBoard& board) : board_(board) {}

  /// Looks once. How long to sleep then.
  std::int64_t look() {
    const std::int64_t now = board_time_ns();
    remembered_.resize(static_cast<std::size_t>(board_.header().num_slots.load()));
    remember(now);
    const std::optional<Operation> operation = first_due();
    if (!operation || now < operation->begun_ns + operation->limit_ns() / 2) {
      late_.reset();
      return operation ? sleep_until(now, operation->begun_ns + operation->limit_ns() / 2)
                       : longest_sleep_ns;
    }
    observe(now, *operation);
    const std::int64_t told_ns = next_telling(*operation);
    if (now < told_ns) {
      return std::clamp(std::min(operation->limit_ns() / sleeps_a_deadline, told_ns - now),
                        shortest_sleep_ns, longest_sleep_ns);
    }
    tell(now, *operation);
    return longest_sleep_ns;
  }

 private:
  static std::int64_t sleep_until(std::int64_t now, std::int64_t then) {
    return std::clamp(then - now, shortest_sleep_ns, longest_sleep_ns);
  }

  RankSlot& slot(std::size_t i) { return board_.slot(i); }

  void remember(std::int64_t now) {
    for (std::size_t i = 0; i < remembered_.size(); ++i) {
      Remembered& known = remembered_[i];
      const std::int64_t bytes = slot(i).progress.bytes_moved.load(std::memory_order_relaxed);
      if (const std::int64_t operation = slot(i).operation; operation != known.operation) {
        known = {operation, bytes, bytes, 0, 0, now};
      }
      if (bytes != known.bytes) {
        known.bytes = bytes;
        known.moved_ns = now;
      }
    }
  }

  std::optional<Operation> first_due() {
    std::optional<Operation> first;
    for (std::size_t i = 0; i < remembered_.size(); ++i) {
      const std::int64_t deadline = slot(i).deadline_ns;
      if (deadline != 0 && (!first || deadline < first->deadline_ns)) {
        first = {slot(i).operation, slot(i).begun_ns, deadline, slot(i).what.load()};
      }
    }
    return first;
  }

  /// What the kernel says is asked only from the middle of a deadline on: who is in time is not
  /// disturbed.
  void observe(std::int64_t now, const Operation& operation) {
    if (!late_) {
      const double half_life_s = seconds(operation.limit_ns()) / 10;
      late_.emplace(remembered_.size(), std::max(half_life_s, 0.5));
    }
    looks_.assign(remembered_.size(), {});
    for (std::size_t i = 0; i < remembered_.size(); ++i) {
      looks_[i] = {waits_for_others(slot(i).progress),
                   is_stopped_state(process_letter(slot(i).pid))};
    }
    late_->look(seconds(now), looks_);
    for (const std::size_t i : late_->late()) {
      note_io(i, now);
    }
  }

  /// HDF5 and MPI-IO move bytes without a word; the kernel counts them.
  void note_io(std::size_t i, std::int64_t now) {
    Remembered& known = remembered_[i];
    const std::int64_t io = process_io_bytes(slot(i).pid).value_or(known.io);
    if (known.io_before == 0) {
      known.io_before = io;
      known.io = io;
    } else if (io >= known.io + least_io_bytes) {
      known.io = io;
      known.moved_ns = now;
    }
  }

  /// At the deadline, and again each time the operation has taken twice as long.
  std::int64_t next_telling(const Operation& operation) {
    if (told_operation_ != operation.number) {
      told_operation_ = operation.number;
      times_limit_ = 1;
    }
    return operation.begun_ns + times_limit_ * operation.limit_ns();
  }

  void tell(std::int64_t now, const Operation& operation) {
    times_limit_ *= 2;
    const LateReport report = make_report(now, operation);
    // A node without late ranks speaks where nobody else may.
    const bool speaks = !report.late.empty() || slot(0).rank == 0;
    const std::string message = late_message(report);
    if (speaks) {
      const std::string line =
          fmt::format("shardmark: {}: {}\n", report.ends ? "error" : "warning", message);
      static_cast<void>(::write(STDERR_FILENO, line.data(), line.size()) + 0);
    }
    if (report.ends) {
      end_ranks(board_, message, report.late.empty() ? 0 : report.late.front().rank);
    }
  }

  LateReport make_report(std::int64_t now, const Operation& operation) {
    LateReport report;
    report.what = operation.what;
    report.limit_s = seconds(operation.limit_ns());
    report.elapsed_s = seconds(now - operation.begun_ns);
    report.host = host_name();
    report.num_ranks = static_cast<int>(remembered_.size());
    report.other_nodes = board_.header().num_ranks > report.num_ranks;
    report.ends = board_.header().ends;
    for (const std::size_t i : late_->late()) {
      report.late.push_back(describe(i, now));
    }
    keep_who_is_in_calls(report);
    std::vector<int> late;
    for (const LateRank& rank : report.late) {
      late.push_back(rank.rank);
    }
    for (std::size_t i = 0; i < looks_.size(); ++i) {
      const bool is_late = std::ranges::find(late, slot(i).rank.load()) != late.end();
      report.num_waiting += looks_[i].waits && !is_late ? 1 : 0;
    }
    return report;
  }

  LateRank describe(std::size_t i, std::int64_t now) {
    const Progress& progress = slot(i).progress;
    const Remembered& known = remembered_[i];
    LateRank rank;
    rank.rank = slot(i).rank;
    rank.pid = slot(i).pid;
    const std::int32_t phase = progress.phase.load(std::memory_order_relaxed);
    rank.phase = phase == Progress::no_phase ? "unmeasured" : phase_name(static_cast<Phase>(phase));
    rank.phase_s = seconds(now - (phase == Progress::no_phase
                                      ? slot(i).begun_ns.load()
                                      : progress.phase_since_ns.load(std::memory_order_relaxed)));
    rank.tensor = progress.tensor.load();
    rank.bytes = std::max(known.bytes - known.bytes_before, known.io - known.io_before);
    rank.still_s = seconds(now - known.moved_ns);
    rank.process = process_state(rank.pid);
    return rank;
  }

  /// Where nobody says that it waits, as inside HDF5, those in a call to the file system hold up
  /// those that are not.
  void keep_who_is_in_calls(LateReport& report) const {
    const bool anybody_waits =
        std::ranges::any_of(looks_, [](const RankLook& look) { return look.waits; });
    const auto hangs = [](const LateRank& rank) {
      return is_stopped_state(rank.process.state) || rank.process.state == 'D' ||
             rank.process.in_file_call;
    };
    if (!anybody_waits && std::ranges::any_of(report.late, hangs)) {
      std::erase_if(report.late, [&](const LateRank& rank) { return !hangs(rank); });
    }
  }

  WatchBoard& board_;
  std::vector<Remembered> remembered_;  // by slot
  std::vector<RankLook> looks_;
  std::optional<LateRanks> late_;  // from the middle of a deadline on
  std::int64_t told_operation_ = -1;
  std::int64_t times_limit_ = 1;
};

/// What the parent has open is not kept open by this process, but for where it speaks.
void close_all_but(std::array<int, 2> kept) {
  std::vector<int> open;
  if (DIR* const folder = ::opendir("/proc/self/fd")) {
    while (const dirent* const entry = ::readdir(folder)) {
      const int number = std::atoi(static_cast<const char*>(entry->d_name));
      if (number > STDERR_FILENO && number != kept[0] && number != kept[1]) {
        open.push_back(number);
      }
    }
    ::closedir(folder);
  }
  for (const int number : open) {
    ::close(number);
  }
}

}  // namespace

void watch(WatchBoard& board, int life_line) {
  // What ends the parent ends this process through the life line.
  for (const int signal_number : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE}) {
    ::signal(signal_number, SIG_IGN);
  }
  static_cast<void>(::prctl(PR_SET_NAME, "shardmark-watch", 0, 0, 0));
  close_all_but({board.descriptor(), life_line});
  Watch watch(board);
  // A child of the parent's that outlives it keeps the life line open.
  const pid_t parent = ::getppid();
  while (::getppid() == parent) {
    constexpr std::int64_t ns_a_millisecond = 1'000'000;
    const auto sleep_ms = static_cast<int>(watch.look() / ns_a_millisecond);
    pollfd end{life_line, POLLIN, 0};
    if (::poll(&end, 1, sleep_ms) > 0) {
      break;
    }
  }
  ::_exit(0);
}

}  // namespace shardmark::bench
