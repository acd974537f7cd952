// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

namespace shardmark::bench {

/// What MPI-IO is made of.
struct MpiIo {
  std::string component =
      "none";  // "ompio", "romio321", "unknown"; "none" where no file was needed
  std::map<std::string, std::string> hints;
};

/// Local. Opens a scratch file in `directory` through MPI-IO with `hints` and asks it which are in
/// force. Open MPI gives back what it was given, known or not; it names its component in its own
/// variables alone.
MpiIo mpi_io_of(const std::string& directory, const std::map<std::string, std::string>& hints);

struct IoComponent {
  std::string_view name;
  int priority = 0;
};

/// Local. What Open MPI takes by its variable `io` (names to choose from, or after ^ names to leave
/// out; empty: all) of what it has; "unknown" where that does not decide it: the default steps
/// back on Lustre.
std::string component_in_force(std::string_view selection, std::span<const IoComponent> components,
                               std::string_view file_system);

}  // namespace shardmark::bench
