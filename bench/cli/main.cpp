// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/command_line.hpp"
#include "bench/machine/keep_freed_memory.hpp"

int main(int argc, char** argv) {
  shardmark::bench::keep_freed_memory();
  return shardmark::bench::run_command_line(argc, argv);
}
