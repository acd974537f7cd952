// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "shardmark/core/result.hpp"

namespace shardmark::bench {

/// Another program that this rank has started and speaks to line by line. All it starts is in its
/// process group and goes with it; when this process dies, it sees the end of its input.
class PeerProcess {
 public:
  PeerProcess() = default;
  PeerProcess(PeerProcess&& other) noexcept;
  PeerProcess& operator=(PeerProcess&& other) noexcept;
  /// Ends it if finish() has not seen it end.
  ~PeerProcess();

  /// Local. `words`: a program, looked for on PATH, and its arguments. `variables`: its
  /// environment. Errors: io_error.
  static Result<PeerProcess> start(std::vector<std::string> words,
                                   std::vector<std::string> variables);

  /// Local. Sends a line. Errors: io_error if it does not take it within `limit_s`, or has ended.
  Status say(std::string_view line, double limit_s) const;
  /// Local. Sleeps until the next line. Errors: io_error if there is none within `limit_s`, if it
  /// has ended, with the last that it wrote to standard error, or if the line has no end.
  Result<std::string> hear(double limit_s);
  /// Local. Waits for its end, at most so long, then ends it. Errors: io_error if it had to, or did
  /// not end with exit code 0.
  Status finish(double limit_s);

  bool is_running() const noexcept { return pid_ > 0; }

 private:
  void end() noexcept;
  bool wait_for_exit(double limit_s) noexcept;
  Error silence(double limit_s) const;
  std::string last_words() const;

  pid_t pid_ = -1;
  int socket_ = -1;
  int errors_ = -1;  // what it writes to standard error
  int status_ = 0;   // as waitpid gives it
  std::string heard_;
};

/// Local. This process's environment without what an MPI launcher left for its ranks, so that
/// another mpirun can begin from here.
std::vector<std::string> peer_environment();

/// Local. Of one variable, "NAME=value".
bool belongs_to_launcher(std::string_view variable) noexcept;

}  // namespace shardmark::bench
