// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/measure/observer_child.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>

#include "shardmark/checkpoint/visibility.hpp"

namespace shardmark::bench {
namespace {

int child_socket = -1;

constexpr std::string_view seen_after = "seen after looks: ";

bool send_text(int fd, const std::string& text) {
  // One packet a message; MSG_NOSIGNAL: a partner that is gone is an answer, not a signal.
  return ::send(fd, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
}

std::optional<std::string> receive_text(int fd) {
  std::array<char, 8192> buffer{};
  ssize_t got = -1;
  do {
    got = ::recv(fd, buffer.data(), buffer.size(), 0);
  } while (got < 0 && errno == EINTR);
  if (got <= 0) {
    return std::nullopt;
  }
  return std::string(buffer.data(), static_cast<std::size_t>(got));
}

/// Answers until the parent is gone.
[[noreturn]] void observe_for(int parent) {
  // What ends the parent ends this process through the socket.
  for (const int signal_number : {SIGINT, SIGTERM, SIGHUP}) {
    ::signal(signal_number, SIG_IGN);
  }
  while (const auto request = receive_text(parent)) {
    const std::size_t space = request->find(' ');
    const std::int64_t step = std::strtoll(request->c_str(), nullptr, 10);
    const auto looks = wait_until_visible(request->substr(space + 1), step, {});
    if (!send_text(parent,
                   looks ? fmt::format("{}{}", seen_after, *looks) : looks.error().message)) {
      break;
    }
  }
  ::_exit(0);
}

}  // namespace

void fork_observer_child() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return;
  }
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    observe_for(ends[1]);
  }
  ::close(ends[1]);
  if (child < 0) {
    ::close(ends[0]);
    return;
  }
  child_socket = ends[0];
}

bool has_observer_child() noexcept {
  return child_socket >= 0;
}

Result<std::int64_t> ask_observer_child(const std::string& directory, std::int64_t step) {
  if (!send_text(child_socket, fmt::format("{} {}", step, directory))) {
    return Error{ErrorCode::io_error, "the observer process is gone"};
  }
  const auto answer = receive_text(child_socket);
  if (!answer) {
    return Error{ErrorCode::io_error, "the observer process is gone"};
  }
  if (!answer->starts_with(seen_after)) {
    return Error{ErrorCode::io_error, *answer};
  }
  return std::strtoll(answer->c_str() + seen_after.size(), nullptr, 10);
}

}  // namespace shardmark::bench
