// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace shardmark::bench {

/// An option or a positional argument, for manual pages and completions.
struct OptionReference {
  std::vector<std::string> names;  // "-h", "--help"; of a positional its one name, "CONFIG"
  std::string value;               // what it takes, "DIR"; empty for a flag
  std::string about;
  bool positional = false;
  bool required = false;
};

struct CommandReference {
  std::string name;
  std::string about;
  std::vector<OptionReference> options;  // positionals first
  std::string footer;                    // notes and examples, lines indented as --help shows them
};

struct ProgramReference {
  CommandReference program;
  std::vector<CommandReference> commands;
};

}  // namespace shardmark::bench
