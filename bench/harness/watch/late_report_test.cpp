// SPDX-License-Identifier: Apache-2.0
// What people read once a deadline has passed.
#include "bench/harness/watch/late_report.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace shardmark::bench {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

LateRank stopped_rank(int number) {
  LateRank rank;
  rank.rank = number;
  rank.pid = 4000 + number;
  rank.phase = "write";
  rank.phase_s = 1.94;
  rank.tensor = "model.embed";
  rank.bytes = std::int64_t{3} << 20;
  rank.still_s = 1.8;
  rank.process.state = 'T';
  return rank;
}

LateReport report_of(int num_late) {
  LateReport report;
  report.what = "save of step 2";
  report.limit_s = 2;
  report.elapsed_s = 2.04;
  report.host = "node1";
  report.num_ranks = 40;
  report.num_waiting = 40 - num_late;
  for (int i = 0; i < num_late; ++i) {
    report.late.push_back(stopped_rank(i + 3));
  }
  return report;
}

TEST(LateReport, NamesRankPhaseTensorBytesAndState) {
  EXPECT_EQ(
      late_message(report_of(1)),
      "past run.deadline, 2 s, after 2.0 s of save of step 2: 1 of 40 ranks on node1 is late, "
      "39 wait\n"
      "  rank 3 (process 4003): write for 1.9 s, at 'model.embed'; 3.00 MiB moved, none for "
      "1.8 s; stopped\n"
      "  run.late = \"end\": all ranks leave with exit code 3");
}

TEST(LateReport, HasSixLinesHoweverManyAreLate) {
  for (const int count : {0, 1, 3, 4, 40}) {
    const std::string text = late_message(report_of(count));
    EXPECT_LE(std::ranges::count(text, '\n'), 5) << text;
  }
  EXPECT_THAT(late_message(report_of(5)), HasSubstr("\n  and 2 more: 6, 7\n"));
  EXPECT_THAT(late_message(report_of(40)), HasSubstr("\n  and 37 more: 6, 7, 8, "));
}

TEST(LateReport, SaysWhetherBytesStillMove) {
  LateReport report = report_of(1);
  report.late.front().still_s = 0.2;
  EXPECT_THAT(late_message(report), HasSubstr("; bytes still move (3.00 MiB so far); "));
  report.late.front().bytes = 0;
  EXPECT_THAT(late_message(report), HasSubstr("; no bytes moved in 0.2 s; "));
}

TEST(LateReport, SaysInWhichCallAndOnWhichFile) {
  LateReport report = report_of(1);
  report.late.front().process = {.state = 'D',
                                 .call = "pwrite64",
                                 .file = "/mnt/c/checkpoint.h5",
                                 .wait_channel = "request_wait_answer",
                                 .in_file_call = true};
  EXPECT_THAT(late_message(report), HasSubstr("uninterruptible (nothing can end it) in pwrite64 on "
                                              "/mnt/c/checkpoint.h5 (request_wait_answer)"));
}

TEST(LateReport, WhereAProcessWasStoppedIsNoCall) {
  LateReport report = report_of(1);
  report.late.front().process.call = "kill";
  report.late.front().process.wait_channel = "do_signal_stop";
  EXPECT_THAT(late_message(report), HasSubstr("; stopped\n"));
}

TEST(LateReport, WarnsAndGoesOn) {
  LateReport report = report_of(2);
  report.ends = false;
  EXPECT_THAT(late_message(report), EndsWith("run.late = \"warn\": it goes on"));
  EXPECT_THAT(late_message(report), Not(HasSubstr("exit code")));
}

TEST(LateReport, WhereNobodyIsLateOthersAreAskedFor) {
  LateReport report = report_of(0);
  EXPECT_THAT(late_message(report), HasSubstr("no rank of node1 is late, all 40 wait inside MPI"));
  report.other_nodes = true;
  EXPECT_THAT(late_message(report), HasSubstr("all 40 wait: for another node, or inside MPI"));
}

}  // namespace
}  // namespace shardmark::bench
