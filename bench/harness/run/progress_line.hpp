// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

namespace shardmark::bench {

/// Local. "0:32", "1:02:03".
std::string clock_text(double seconds);

/// Where a long run is: one line on a terminal that is rewritten in place, nothing elsewhere.
class ProgressLine {
 public:
  /// Shows on `stream` if `enabled` and the stream, or the one that a launcher copies it to, is a
  /// terminal.
  ProgressLine(std::FILE* stream, bool enabled, int num_steps);
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  /// Local. Before each step: "round 2/5 save/... eta 0:32", cut to the terminal's width.
  void show(std::string_view text);
  /// Local. After each step.
  void step_done() { ++steps_done_; }
  /// Local. Wipes the line, so that other output can follow.
  void clear();

 private:
  std::FILE* stream_;
  bool enabled_;
  int num_steps_;
  int steps_done_ = 0;
  double start_s_;
};

}  // namespace shardmark::bench
