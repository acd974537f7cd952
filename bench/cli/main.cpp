// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/command_line.hpp"
#include "bench/machine/keep_freed_memory.hpp"
#include "bench/machine/open_file_limit.hpp"

int main(int argc, char** argv) {
  shardmark::bench::keep_freed_memory();
  shardmark::bench::raise_open_file_limit();
  return shardmark::bench::run_command_line(argc, argv);
}
