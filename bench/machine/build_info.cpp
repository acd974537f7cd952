// SPDX-License-Identifier: Apache-2.0
#include "bench/machine/build_info.hpp"

#include <fmt/format.h>
#include <mpi.h>

#include <array>

#include "shardmark/storage/hdf5/library/hdf5_state.hpp"
#include "shardmark_commit.hpp"

namespace shardmark::bench {
namespace {

/// "Open MPI v4.1.4, package: ..." up to the first comma; other libraries have other line ends.
std::string mpi_version() {
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
  int length = 0;
  if (MPI_Get_library_version(text.data(), &length) != MPI_SUCCESS) {
    return "unknown";
  }
  const std::string full(text.data(), static_cast<std::size_t>(length));
  return full.substr(0, full.find_first_of(",\n"));
}

}  // namespace

BuildInfo build_info() {
  BuildInfo info;
  info.version = SHARDMARK_VERSION;
  info.commit = SHARDMARK_COMMIT;
  info.dirty = SHARDMARK_DIRTY;
  info.compiler = SHARDMARK_COMPILER;
  info.build_type = SHARDMARK_BUILD_TYPE;
  info.mpi = mpi_version();
  info.hdf5 = hdf5_library_version();
  info.fmt =
      fmt::format("{}.{}.{}", FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100);
  info.google_benchmark = SHARDMARK_GOOGLE_BENCHMARK_VERSION;
  return info;
}

}  // namespace shardmark::bench
