// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/commands/version_command.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "bench/machine/build_info.hpp"
#include "bench/text/printed_json.hpp"

namespace shardmark::bench {

Result<CommandOutput> version_command(bool json) {
  const BuildInfo info = build_info();
  if (json) {
    const nlohmann::ordered_json document = {{"shardmark_version", info.version},
                                             {"commit", info.commit},
                                             {"dirty", info.dirty},
                                             {"mpi", info.mpi},
                                             {"hdf5", info.hdf5},
                                             {"fmt", info.fmt},
                                             {"google_benchmark", info.google_benchmark},
                                             {"compiler", info.compiler},
                                             {"build_type", info.build_type}};
    return CommandOutput{printed_json(document)};
  }
  return CommandOutput{
      fmt::format("shardmark {}\n"
                  "commit {}{}\n"
                  "{}\n"
                  "HDF5 {}\n"
                  "fmt {}\n"
                  "Google Benchmark {}\n"
                  "compiler {}\n"
                  "build type {}\n",
                  info.version, info.commit, info.dirty ? " with local changes" : "", info.mpi,
                  info.hdf5, info.fmt, info.google_benchmark, info.compiler, info.build_type)};
}

}  // namespace shardmark::bench
