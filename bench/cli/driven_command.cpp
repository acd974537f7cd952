// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/driven_command.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string_view>

extern char** environ;

namespace shardmark::bench {
namespace {

/// This process's environment without what would make the command think it is launched.
Words environment(const Words& added) {
  constexpr std::array<std::string_view, 5> removed = {"OMPI_", "PMIX_", "PMI_",
                                                       "SHARDMARK_CONFIG_PATH=", "NO_COLOR="};
  Words kept = added;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (std::none_of(removed.begin(), removed.end(),
                     [&](std::string_view prefix) { return text.starts_with(prefix); })) {
      kept.push_back(text);
    }
  }
  return kept;
}

std::vector<char*> pointers(Words& words) {
  std::vector<char*> out;
  for (std::string& word : words) {
    out.push_back(word.data());
  }
  out.push_back(nullptr);
  return out;
}

/// Reads both pipes to their ends at once, so that neither fills up while the other is read.
void drain(int out, int err, Outcome& outcome) {
  std::array<pollfd, 2> pipes = {{{out, POLLIN, 0}, {err, POLLIN, 0}}};
  std::array<std::string*, 2> texts = {&outcome.out, &outcome.err};
  std::array<char, 65536> buffer{};
  while (pipes[0].fd >= 0 || pipes[1].fd >= 0) {
    poll(pipes.data(), pipes.size(), -1);
    for (std::size_t i = 0; i < pipes.size(); ++i) {
      if (pipes[i].fd < 0 || pipes[i].revents == 0) {
        continue;
      }
      const ssize_t count = read(pipes[i].fd, buffer.data(), buffer.size());
      if (count > 0) {
        texts[i]->append(buffer.data(), static_cast<std::size_t>(count));
      } else {
        pipes[i].fd = -1;
      }
    }
  }
}

}  // namespace

Outcome run_program(Words words, const Words& added_environment, const char* stdout_path) {
  Words variables = environment(added_environment);
  std::array<int, 2> out{};
  std::array<int, 2> err{};
  if (pipe2(out.data(), O_CLOEXEC) != 0 || pipe2(err.data(), O_CLOEXEC) != 0) {
    return {-1, "", "no pipe for the output of " + words.front()};
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, out[1], 1);
  posix_spawn_file_actions_adddup2(&actions, err[1], 2);
  if (stdout_path != nullptr) {
    posix_spawn_file_actions_addopen(&actions, 1, stdout_path, O_WRONLY, 0);
  }
  pid_t child = 0;
  Outcome outcome;
  const int failed = posix_spawn(&child, words.front().c_str(), &actions, nullptr,
                                 pointers(words).data(), pointers(variables).data());
  posix_spawn_file_actions_destroy(&actions);
  close(out[1]);
  close(err[1]);
  if (failed == 0) {
    drain(out[0], err[0], outcome);
    int status = 0;
    waitpid(child, &status, 0);
    outcome.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  close(out[0]);
  close(err[0]);
  return outcome;
}

Outcome shardmark(Words arguments, const Words& added_environment, const char* stdout_path) {
  arguments.insert(arguments.begin(), SHARDMARK_COMMAND);
  return run_program(std::move(arguments), added_environment, stdout_path);
}

}  // namespace shardmark::bench
