// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/watch/late_report.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "bench/text/human_units.hpp"

namespace shardmark::bench {
namespace {

constexpr std::size_t max_named = 3;     // with a line each
constexpr std::size_t max_numbers = 12;  // of the others

std::string plural(int count, const std::string& word) {
  return fmt::format("{} {}{}", count, word, count == 1 ? "" : "s");
}

/// 2 for two seconds, 2.5 for two and a half.
std::string limit_text(double seconds) {
  return fmt::format("{:.6g} s", seconds);
}

std::string bytes_text(const LateRank& rank) {
  if (rank.bytes > 0 && rank.still_s <= moving_s) {
    return fmt::format("bytes still move ({} so far)", format_bytes(rank.bytes));
  }
  return rank.bytes == 0
             ? fmt::format("no bytes moved in {:.1f} s", rank.still_s)
             : fmt::format("{} moved, none for {:.1f} s", format_bytes(rank.bytes), rank.still_s);
}

std::string process_text(const ProcessState& process) {
  std::string text(state_text(process.state));
  // Where a stopped process was stopped tells of nothing that it waits for.
  if (is_stopped_state(process.state) && !process.in_file_call) {
    return text;
  }
  if (!process.call.empty()) {
    text += " in " + process.call;
  }
  if (process.in_file_call && !process.file.empty()) {
    text += " on " + process.file;
  }
  if (!process.wait_channel.empty()) {
    text += fmt::format(" ({})", process.wait_channel);
  }
  return text;
}

std::string rank_line(const LateRank& rank) {
  const std::string tensor =
      rank.tensor.empty() ? std::string() : fmt::format(", at '{}'", rank.tensor);
  return fmt::format("  rank {} (process {}): {} for {:.1f} s{}; {}; {}", rank.rank, rank.pid,
                     rank.phase, rank.phase_s, tensor, bytes_text(rank),
                     process_text(rank.process));
}

std::string others_line(const LateReport& report) {
  std::vector<int> numbers;
  for (std::size_t i = max_named; i < std::min(report.late.size(), max_named + max_numbers); ++i) {
    numbers.push_back(report.late[i].rank);
  }
  return fmt::format("  and {} more: {}{}", report.late.size() - max_named,
                     fmt::join(numbers, ", "),
                     report.late.size() > max_named + max_numbers ? ", ..." : "");
}

std::string who(const LateReport& report) {
  if (report.late.empty()) {
    return fmt::format("no rank of {} is late, all {} wait{}", report.host, report.num_ranks,
                       report.other_nodes ? ": for another node, or inside MPI" : " inside MPI");
  }
  const auto count = static_cast<int>(report.late.size());
  std::string text = fmt::format("{} of {} on {} {} late", count, plural(report.num_ranks, "rank"),
                                 report.host, count == 1 ? "is" : "are");
  if (report.num_waiting > 0) {
    text += fmt::format(", {} wait", report.num_waiting);
  }
  return text;
}

}  // namespace

std::string late_message(const LateReport& report) {
  std::string text =
      fmt::format("past run.deadline, {}, after {:.1f} s of {}: {}", limit_text(report.limit_s),
                  report.elapsed_s, report.what, who(report));
  for (std::size_t i = 0; i < std::min(report.late.size(), max_named); ++i) {
    text += fmt::format("\n{}", rank_line(report.late[i]));
  }
  if (report.late.size() > max_named) {
    text += fmt::format("\n{}", others_line(report));
  }
  text += report.ends ? "\n  run.late = \"end\": all ranks leave with exit code 3"
                      : "\n  run.late = \"warn\": it goes on";
  return text;
}

}  // namespace shardmark::bench
