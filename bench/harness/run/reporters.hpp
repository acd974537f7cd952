// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <benchmark/benchmark.h>

#include <memory>
#include <utility>
#include <vector>

namespace shardmark::bench {

/// Says nothing: every rank but 0, for display and for files.
class SilentReporter final : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>&) override {}
};

/// Hands everything to several reporters, which write to streams of their own.
class TeeReporter final : public benchmark::BenchmarkReporter {
 public:
  void add(std::unique_ptr<benchmark::BenchmarkReporter> reporter) {
    reporters_.push_back(std::move(reporter));
  }

  bool ReportContext(const Context& context) override {
    bool go_on = true;
    for (const auto& reporter : reporters_) {
      go_on = reporter->ReportContext(context) && go_on;
    }
    return go_on;
  }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const auto& reporter : reporters_) {
      reporter->ReportRuns(runs);
    }
  }
  void Finalize() override {
    for (const auto& reporter : reporters_) {
      reporter->Finalize();
    }
  }

 private:
  std::vector<std::unique_ptr<benchmark::BenchmarkReporter>> reporters_;
};

}  // namespace shardmark::bench
