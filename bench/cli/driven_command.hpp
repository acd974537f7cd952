// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace shardmark::bench {

using Words = std::vector<std::string>;

/// What a program said and ended with; 128 + signal if it was killed.
struct Outcome {
  int exit_code = -1;
  std::string out;
  std::string err;
};

/// Local, for tests. Runs the built command as a user does, without the environment that would make
/// it think it is launched. `stdout_path`: opened in the place of the pipe for stdout.
Outcome shardmark(Words arguments, const Words& added_environment = {},
                  const char* stdout_path = nullptr);

/// Local, for tests. The same for any program; `words` begin with its path.
Outcome run_program(Words words, const Words& added_environment = {},
                    const char* stdout_path = nullptr);

}  // namespace shardmark::bench
