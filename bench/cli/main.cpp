// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/command_line.hpp"

int main(int argc, char** argv) {
  return shardmark::bench::run_command_line(argc, argv);
}
