// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/command_line.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "bench/cli/command_parser.hpp"
#include "bench/harness/measure/observer_child.hpp"
#include "bench/harness/watch/watcher.hpp"
#include "bench/machine/launch.hpp"
#include "bench/text/error_report.hpp"
#include "bench/text/text_style.hpp"

namespace shardmark::bench {
namespace {

/// What third-party code throws becomes a message and an exit code, never a crash.
template <typename Function>
auto guarded(const Function& function) -> decltype(function()) {
  try {
    return function();
  } catch (const std::bad_alloc&) {
    return Error{ErrorCode::internal, "out of memory"};
  } catch (const std::exception&) {
    // Its text speaks of this program's inside, not of what the user gave.
    return Error{ErrorCode::internal,
                 "this program met a fault of its own; please report it with the command line and "
                 "the files that it names"};
  }
}

Status write_stdout(const std::string& text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (!written || std::fflush(stdout) != 0) {
    return Error{ErrorCode::io_error,
                 fmt::format("cannot write to standard output: {}", std::strerror(errno))};
  }
  return {};
}

/// Prints where this rank does and gives the exit code.
int report(const Result<CommandOutput>& result, bool json, bool prints) {
  Status status;
  if (!result) {
    status = result.error();
  } else if (result->error) {
    status = *result->error;
  }
  if (prints) {
    std::string text = result ? result->text : std::string();
    if (!result && json) {
      text = error_document(result.error());
    }
    const Status written = write_stdout(text);
    if (status && !written) {
      status = written;
    }
    if (!status) {
      std::fputs(error_message(status.error(), text_style(stderr)).c_str(), stderr);
    }
  }
  return status ? 0 : exit_code(status.error().code);
}

/// What every rank must be told alike. What --set decides is compared where it matters: a tensor
/// that ranks see differently is named there.
std::vector<std::string> words_for_all(const std::vector<std::string>& arguments) {
  std::vector<std::string> words;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--set") {
      ++i;
    } else if (!arguments[i].starts_with("--set=")) {
      words.push_back(arguments[i]);
    }
  }
  return words;
}

}  // namespace

int run_command_line(int argc, const char* const* argv) {
  const std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  const Launch launch = detect_launch();
  const bool first = launch.rank == 0;
  const auto command = guarded([&] { return parse_command(arguments); });
  if (!first && (!command || command->run_local)) {
    // Rank 0 alone speaks and fails: a launcher would kill it for another rank's exit code before
    // it has said why.
    return 0;
  }
  if (!command) {
    const bool json = std::find(arguments.begin(), arguments.end(), "--json") != arguments.end();
    return report(command.error(), json, first);
  }
  const auto report_result = [&](const Result<CommandOutput>& result, bool speaks) {
    return report(result, command->json, speaks);
  };
  if (command->observes && launch.size == 1) {
    fork_observer_child();
  }
  if (command->run_collective) {
    fork_watcher();
  }
  return command->run_local ? report_result(guarded(command->run_local), first)
                            : run_collective_command(words_for_all(arguments),
                                                     command->run_collective, report_result);
}

}  // namespace shardmark::bench
