// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace shardmark::bench {

/// The `shardmark` command from its arguments to its exit code. Parses, runs one command and
/// prints: one document or report on stdout, one message on stderr, on rank 0 alone.
int run_command_line(int argc, const char* const* argv);

}  // namespace shardmark::bench
