// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/directory/owner_record.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <optional>
#include <string_view>

namespace shardmark {
namespace {

std::string first_line_of(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::string link_target(const char* path) {
  std::array<char, 256> target{};
  const ssize_t length = ::readlink(path, target.data(), target.size());
  return length > 0 ? std::string(target.data(), static_cast<std::size_t>(length)) : std::string();
}

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value)
                                                                  : std::nullopt;
}

struct ProcessState {
  char state = '?';
  std::int64_t started = -1;
};

/// Of /proc/PID/stat: field 3, and field 22, counted behind the name in brackets, which may hold
/// anything.
std::optional<ProcessState> state_of(std::int64_t pid) {
  const std::string line = first_line_of(fmt::format("/proc/{}/stat", pid).c_str());
  const std::size_t name_end = line.rfind(") ");
  if (name_end == std::string::npos || name_end + 2 >= line.size()) {
    return std::nullopt;
  }
  ProcessState found{line[name_end + 2], -1};
  std::string_view rest = std::string_view(line).substr(name_end + 2);
  for (int field = 3; field < 22; ++field) {
    const std::size_t space = rest.find(' ');
    rest = space == std::string_view::npos ? std::string_view() : rest.substr(space + 1);
  }
  found.started = number(rest.substr(0, rest.find(' '))).value_or(-1);
  return found;
}

std::string job_of_batch_system() {
  for (const char* name : {"SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "FLUX_JOB_ID", "JOB_ID"}) {
    if (const char* job = std::getenv(name); job != nullptr && *job != '\0') {
      return job;
    }
  }
  return "-";
}

}  // namespace

OwnerRecord own_record() {
  OwnerRecord record;
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  record.host = host.data();
  record.pid = ::getpid();
  record.job = job_of_batch_system();
  record.boot = first_line_of("/proc/sys/kernel/random/boot_id");
  record.pid_space = link_target("/proc/self/ns/pid");
  const auto own = state_of(record.pid);
  record.started = own ? own->started : -1;
  return record;
}

std::string to_text(const OwnerRecord& record) {
  return fmt::format(
      "host {}\npid {}\njob {}\nboot {}\npid_space {}\nstarted {}\ntime {:%Y-%m-%dT%H:%M:%SZ}\n",
      record.host, record.pid, record.job, record.boot, record.pid_space, record.started,
      fmt::gmtime(std::time(nullptr)));
}

OwnerRecord parse_owner_record(const std::string& text) {
  OwnerRecord record;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos) {
      continue;
    }
    const std::string_view key = line.substr(0, space);
    const std::string_view value = line.substr(space + 1);
    if (key == "host") {
      record.host = value;
    } else if (key == "pid") {
      record.pid = number(value).value_or(0);
    } else if (key == "job") {
      record.job = value;
    } else if (key == "boot") {
      record.boot = value;
    } else if (key == "pid_space") {
      record.pid_space = value;
    } else if (key == "started") {
      record.started = number(value).value_or(-1);
    }
  }
  return record;
}

Life life_of(const OwnerRecord& record) {
  const OwnerRecord own = own_record();
  if (record.boot.empty()) {
    // What versions without these lines left: the host's name is all there is.
    return !record.host.empty() && record.host == own.host ? Life::same_kernel : Life::elsewhere;
  }
  if (record.boot != own.boot) {
    return Life::elsewhere;
  }
  if (record.pid_space.empty() || record.pid_space != own.pid_space || record.pid <= 0) {
    return Life::same_kernel;
  }
  const auto found = state_of(record.pid);
  if (!found) {
    // No /proc to ask: the kernel itself.
    return ::kill(static_cast<pid_t>(record.pid), 0) == 0 || errno == EPERM ? Life::alive
                                                                            : Life::dead;
  }
  const bool ended = found->state == 'Z' || found->state == 'X';
  const bool another = record.started >= 0 && found->started != record.started;
  return ended || another ? Life::dead : Life::alive;
}

}  // namespace shardmark
