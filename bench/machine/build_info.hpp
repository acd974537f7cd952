// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace shardmark::bench {

/// What this executable is made of: for --version and the context of results.
struct BuildInfo {
  std::string version;           // "0.1.0"
  std::string commit;            // 40 hexadecimal digits, or "unknown"
  bool dirty = false;            // tracked files differed from the commit
  std::string compiler;          // "GNU 12.2.0"
  std::string build_type;        // "Release"
  std::string mpi;               // "Open MPI v4.1.4", of the library that is loaded
  std::string hdf5;              // "1.10.8", of the library that is loaded
  std::string fmt;               // "9.1.0"
  std::string google_benchmark;  // "1.7.1"
};

/// Local. Does not start MPI.
BuildInfo build_info();

}  // namespace shardmark::bench
