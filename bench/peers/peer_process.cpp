// SPDX-License-Identifier: Apache-2.0
#include "bench/peers/peer_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <thread>
#include <utility>

#include "bench/harness/measure/collective_timer.hpp"

namespace shardmark::bench {
namespace {

constexpr std::size_t max_line_bytes = std::size_t{64} << 20;
constexpr double grace_s = 2;  // between SIGTERM and SIGKILL, and after it
constexpr std::size_t max_last_words = 200;

Error failure(const std::string& what) {
  return {ErrorCode::io_error, what};
}

std::vector<char*> pointers_to(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) {
    pointers.push_back(word.data());
  }
  pointers.push_back(nullptr);
  return pointers;
}

/// poll() for the rest of a limit; false once it is over.
bool wait_for(int descriptor, short events, double until_s) {
  for (;;) {
    const double left_s = until_s - steady_seconds();
    pollfd entry{descriptor, events, 0};
    const int timeout_ms = static_cast<int>(std::clamp(std::ceil(left_s * 1e3), 0.0, 1e6));
    const int ready = ::poll(&entry, 1, timeout_ms);
    if (ready > 0) {
      return true;
    }
    if ((ready == 0 && left_s <= 0) || (ready < 0 && errno != EINTR)) {
      return false;
    }
  }
}

/// What the child begins with: a group and signals of its own, none of this process's files.
class SpawnSettings {
 public:
  SpawnSettings(int socket, int errors) {
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, socket, 0);
    posix_spawn_file_actions_adddup2(&actions, socket, 1);
    posix_spawn_file_actions_adddup2(&actions, errors, 2);
#if defined(__GLIBC__) && defined(__GLIBC_PREREQ)
#if __GLIBC_PREREQ(2, 34)
    posix_spawn_file_actions_addclosefrom_np(&actions, 3);
#endif
#endif
    posix_spawnattr_init(&attributes);
    sigset_t none;
    sigemptyset(&none);
    sigset_t all;
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  posix_spawn_file_actions_t actions{};
  posix_spawnattr_t attributes{};
};

}  // namespace

PeerProcess::PeerProcess(PeerProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      socket_(std::exchange(other.socket_, -1)),
      errors_(std::exchange(other.errors_, -1)),
      status_(other.status_),
      heard_(std::move(other.heard_)) {}

PeerProcess& PeerProcess::operator=(PeerProcess&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(socket_, other.socket_);
  std::swap(errors_, other.errors_);
  std::swap(status_, other.status_);
  std::swap(heard_, other.heard_);
  return *this;
}

PeerProcess::~PeerProcess() {
  end();
  for (const int descriptor : {socket_, errors_}) {
    if (descriptor >= 0) {
      ::close(descriptor);
    }
  }
}

Result<PeerProcess> PeerProcess::start(std::vector<std::string> words,
                                       std::vector<std::string> variables) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return failure(fmt::format("no socket for {}: {}", words.front(), std::strerror(errno)));
  }
  PeerProcess made;
  made.socket_ = ends[0];
  made.errors_ = ::memfd_create("peer", MFD_CLOEXEC);
  ::fcntl(made.socket_, F_SETFL, O_NONBLOCK);
  int failed = made.errors_ < 0 ? errno : 0;
  if (failed == 0) {
    const SpawnSettings settings(ends[1], made.errors_);
    failed =
        posix_spawnp(&made.pid_, words.front().c_str(), &settings.actions, &settings.attributes,
                     pointers_to(words).data(), pointers_to(variables).data());
  }
  ::close(ends[1]);
  if (failed != 0) {
    made.pid_ = -1;
    return failure(fmt::format("{} cannot be started: {}", words.front(), std::strerror(failed)));
  }
  return made;
}

Status PeerProcess::say(std::string_view line, double limit_s) const {
  const double until_s = steady_seconds() + limit_s;
  const std::string text = fmt::format("{}\n", line);
  for (std::size_t sent = 0; sent < text.size();) {
    const ssize_t now = ::send(socket_, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (now > 0) {
      sent += static_cast<std::size_t>(now);
    } else if (errno == EPIPE || errno == ECONNRESET) {
      return failure(fmt::format("it ended before it was asked{}", last_words()));
    } else if (!wait_for(socket_, POLLOUT, until_s)) {
      return silence(limit_s);
    }
  }
  return {};
}

Result<std::string> PeerProcess::hear(double limit_s) {
  const double until_s = steady_seconds() + limit_s;
  for (std::size_t looked = 0;;) {
    if (const std::size_t end = heard_.find('\n', looked); end != std::string::npos) {
      std::string line = heard_.substr(0, end);
      heard_.erase(0, end + 1);
      return line;
    }
    looked = heard_.size();
    if (looked > max_line_bytes) {
      return failure("its answer has no end");
    }
    if (!wait_for(socket_, POLLIN, until_s)) {
      return silence(limit_s);
    }
    std::array<char, 65536> piece{};
    const ssize_t now = ::recv(socket_, piece.data(), piece.size(), 0);
    if (now > 0) {
      heard_.append(piece.data(), static_cast<std::size_t>(now));
    } else if (now == 0 || (errno != EAGAIN && errno != EINTR)) {
      return failure(fmt::format("it ended before it answered{}", last_words()));
    }
  }
}

Status PeerProcess::finish(double limit_s) {
  if (!wait_for_exit(limit_s)) {
    end();
    return failure(fmt::format("it did not end within {} s of its report", limit_s));
  }
  const int status = status_;
  end();
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
    return {};
  }
  return failure(WIFEXITED(status) ? fmt::format("exit code {}", WEXITSTATUS(status))
                                   : fmt::format("signal {}", WTERMSIG(status)));
}

/// Its process stays as it is, so that nobody else can get its number, until end().
bool PeerProcess::wait_for_exit(double limit_s) noexcept {
  const double until_s = steady_seconds() + limit_s;
  for (;;) {
    siginfo_t info{};
    const int asked = ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT);
    if (asked != 0 || info.si_pid == pid_) {
      const bool exited = info.si_code == CLD_EXITED;
      status_ = exited ? (info.si_status & 0xFF) << 8 : info.si_status & 0x7F;
      return true;
    }
    if (steady_seconds() >= until_s) {
      return false;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

void PeerProcess::end() noexcept {
  if (pid_ <= 0) {
    return;
  }
  if (!wait_for_exit(0)) {
    ::kill(-pid_, SIGTERM);
    wait_for_exit(grace_s);
  }
  ::kill(-pid_, SIGKILL);        // what it has left behind, too
  if (wait_for_exit(grace_s)) {  // in a call that storage does not answer it dies when that returns
    ::waitpid(pid_, nullptr, 0);
  }
  pid_ = -1;
}

Error PeerProcess::silence(double limit_s) const {
  return failure(
      fmt::format("it did not answer within {:.3g} s (peers.limit){}", limit_s, last_words()));
}

std::string PeerProcess::last_words() const {
  std::string text(4096, '\0');
  const off_t length = ::lseek(errors_, 0, SEEK_END);
  const off_t from = std::max<off_t>(0, length - static_cast<off_t>(text.size()));
  const ssize_t read = ::pread(errors_, text.data(), text.size(), from);
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(0, read)));
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) {
    text.pop_back();
  }
  text = text.substr(text.rfind('\n') + 1);  // npos + 1 is 0
  return text.empty() ? "" : "; it said: " + text.substr(0, max_last_words);
}

bool belongs_to_launcher(std::string_view variable) noexcept {
  // What a user sets for any mpirun stays.
  for (const std::string_view kept :
       {"OMPI_ALLOW_RUN_AS_ROOT", "OMPI_MCA_rmaps_", "OMPI_MCA_hwloc_", "OMPI_MCA_btl",
        "OMPI_MCA_plm_", "OMPI_MCA_mpi_yield"}) {
    if (variable.starts_with(kept)) {
      return false;
    }
  }
  constexpr std::array<std::string_view, 12> launchers = {
      "OMPI_", "PMIX_",     "PMI_",      "PRTE_",        "ORTE_",         "HYDI_",
      "PALS_", "MPI_LOCAL", "MV2_COMM_", "SLURM_PROCID", "SLURM_LOCALID", "FLUX_TASK_"};
  return std::ranges::any_of(launchers,
                             [&](std::string_view prefix) { return variable.starts_with(prefix); });
}

std::vector<std::string> peer_environment() {
  std::vector<std::string> kept;
  for (char** each = environ; *each != nullptr; ++each) {
    if (!belongs_to_launcher(*each)) {
      kept.emplace_back(*each);
    }
  }
  kept.emplace_back("PYTHONDONTWRITEBYTECODE=1");  // the scripts' folder may be another user's
  return kept;
}

}  // namespace shardmark::bench
