// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/run/run_cases.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <random>
#include <set>
#include <utility>

#include "bench/harness/measure/case_runner.hpp"
#include "bench/harness/report/samples_json.hpp"
#include "bench/harness/report/text_file.hpp"
#include "bench/harness/report/trace_json.hpp"
#include "bench/harness/run/activity.hpp"
#include "bench/harness/run/case_filter.hpp"
#include "bench/harness/run/case_order.hpp"
#include "bench/harness/run/google_benchmark.hpp"
#include "bench/harness/run/interruption.hpp"
#include "bench/harness/run/progress_line.hpp"
#include "bench/text/human_units.hpp"

namespace shardmark::bench {
namespace {

/// One run: what its repetitions share.
class Session {
 public:
  Session(std::vector<BenchmarkCase*> cases, const RunSettings& settings, const RunContext& context,
          const Communicator& comm)
      : cases_(std::move(cases)),
        settings_(settings),
        context_(context),
        comm_(comm),
        runner_(comm, settings.storage_unusable, settings.deadline_s),
        broken_(cases_.size()),
        left_out_(cases_.size()),
        progress_(stderr, settings.show_progress && comm.is_root(),
                  (settings.warmup + settings.repetitions) * static_cast<int>(cases_.size())) {
    for (BenchmarkCase* each : cases_) {
      result_.cases.push_back(each->description());
    }
  }

  /// Collective.
  RunResult run() {
    set_up();
    warm_up();
    const auto registrations = make_registrations();
    if (!registrations.empty()) {
      note(run_registrations(registrations, settings_.flags, context_, settings_.directory, comm_));
    }
    tear_down();
    withdraw_left_out();
    note(comm_.agree(write_samples()));
    note(comm_.agree(write_trace()));
    progress_.clear();
    result_.must_stop = runner_.must_stop();
    return std::move(result_);
  }

 private:
  bool runs(std::size_t index) const {
    return !result_.cases[index].skipped && !broken_[index] && !left_out_[index] &&
           !runner_.must_stop();
  }

  /// For the live line, and for whoever asks where this rank is.
  void show(const std::string& step, const std::string& remark, std::size_t index) {
    const std::string& name = result_.cases[index].name;
    note_activity(step + " " + name);
    progress_.show(step + remark + " " + name);
  }

  void set_up() {
    for (std::size_t i = 0; i < cases_.size(); ++i) {
      if (runs(i)) {
        show("set-up", "", i);
        fail_case(i, runner_.set_up(*cases_[i]));
      }
    }
  }

  void warm_up() {
    // Another order than the measured rounds have, or each case would always follow the same one.
    const auto rounds = shuffled_rounds(cases_.size(), settings_.warmup, context_.shuffle_seed + 1);
    for (std::size_t round = 0; round < rounds.size(); ++round) {
      for (const std::size_t i : rounds[round]) {
        if (runs(i)) {
          show(fmt::format("warm-up {}/{}", round + 1, rounds.size()), "", i);
          fail_case(i, runner_.warm_up(*cases_[i]));
        }
        progress_.step_done();
      }
    }
  }

  std::vector<Registration> make_registrations() {
    const auto rounds =
        shuffled_rounds(cases_.size(), settings_.repetitions, context_.shuffle_seed);
    std::vector<Registration> registrations;
    for (std::size_t round = 0; round < rounds.size(); ++round) {
      for (const std::size_t i : rounds[round]) {
        if (result_.cases[i].skipped || left_out_[i]) {
          add_skipped(i, round);
          continue;
        }
        registrations.push_back({result_.cases[i].name, [this, i, round](const TimedLoop& loop) {
                                   return repeat(i, static_cast<int>(round), loop);
                                 }});
      }
    }
    return registrations;
  }

  Sample repeat(std::size_t index, int round, const TimedLoop& loop) {
    // Complete rounds are on disk before the next one begins: a run that dies keeps them.
    if (round != round_) {
      round_ = round;
      static_cast<void>(write_samples());  // trouble is rank 0's alone; the last write is agreed
    }
    show(fmt::format("round {}/{}", round + 1, settings_.repetitions), last_rate_, index);
    Sample sample;
    // Every rank takes every turn, failed or not: Google Benchmark runs them in the same order
    // everywhere.
    if (broken_[index]) {
      sample.error = broken_[index];
    } else if (left_out_[index]) {
      sample.skipped = left_out_[index];
    } else if (runner_.must_stop()) {
      sample.skipped = "not run: storage became unusable earlier in this run";
    } else {
      sample = runner_.run(*cases_[index], loop);
      left_out_[index] = sample.skipped;
    }
    sample.case_index = index;
    sample.repetition = round;
    sample.order = order_++;
    if (sample.error) {
      count_failure(index, *sample.error);
    }
    result_.samples.push_back(sample);
    progress_.step_done();
    note_rate(sample);
    return sample;
  }

  /// For the live line: what storage gave last.
  void note_rate(const Sample& sample) {
    const FamilyTraits& family = result_.cases[sample.case_index].family;
    if (sample.num_bytes && sample.time_s && *sample.time_s > 0 &&
        family.comparison == Comparison::with_ceilings) {
      last_rate_ =
          fmt::format(", last {} {}", family.name,
                      format_rate(static_cast<double>(*sample.num_bytes) / *sample.time_s));
    }
  }

  void add_skipped(std::size_t index, std::size_t round) {
    // Once: it is a fact of the case, not of a repetition.
    if (round == 0) {
      Sample sample;
      sample.case_index = index;
      sample.order = order_++;
      sample.skipped = left_out_[index] ? left_out_[index] : result_.cases[index].skipped;
      result_.samples.push_back(sample);
    }
  }

  void tear_down() {
    for (std::size_t i = 0; i < cases_.size(); ++i) {
      if (!result_.cases[i].skipped) {
        note(runner_.tear_down(*cases_[i]));
      }
    }
  }

  /// What it measured before it was found to be no number is none either.
  void withdraw_left_out() {
    for (Sample& sample : result_.samples) {
      if (left_out_[sample.case_index]) {
        Sample none;
        none.case_index = sample.case_index;
        none.repetition = sample.repetition;
        none.order = sample.order;
        none.skipped = left_out_[sample.case_index];
        sample = std::move(none);
      }
    }
  }

  void fail_case(std::size_t index, const Status& status) {
    if (!status) {
      left_out_[index] = cases_[index]->left_out();
    }
    if (!status && !left_out_[index]) {
      broken_[index] = status.error();
      count_failure(index, status.error());
    }
  }

  void count_failure(std::size_t index, const Error& error) {
    failed_.insert(index);
    result_.failed_cases = static_cast<int>(failed_.size());
    if (!result_.first_error) {
      result_.first_error = error;
      result_.first_error->message =
          fmt::format("{}: {}", result_.cases[index].name, error.message);
    }
  }

  void note(const Status& status) {
    if (!status && !result_.first_error) {
      result_.first_error = status.error();
    }
  }

  Status write_samples() const {
    if (!comm_.is_root() || result_.samples.empty() || settings_.directory.empty()) {
      return {};
    }
    const std::string path = settings_.directory + "/samples.json";
    const auto held = hold_results();
    SHARDMARK_RETURN_IF_ERROR(
        replace_text_file(path, samples_json(context_, result_.cases, result_.samples)));
    on_interruption_say("complete rounds so far: " + path);
    return {};
  }

  Status write_trace() const {
    if (!comm_.is_root() || result_.samples.empty() || settings_.directory.empty()) {
      return {};
    }
    const auto held = hold_results();
    return replace_text_file(settings_.directory + "/trace.json",
                             trace_json(context_, result_.cases, result_.samples));
  }

  std::vector<BenchmarkCase*> cases_;
  const RunSettings& settings_;
  const RunContext& context_;
  const Communicator& comm_;
  CaseRunner runner_;
  std::vector<std::optional<Error>> broken_;          // by case: failed in set-up or warm-up
  std::vector<std::optional<std::string>> left_out_;  // by case: BenchmarkCase::left_out()
  std::set<std::size_t> failed_;
  ProgressLine progress_;
  std::string last_rate_;
  RunResult result_;
  int round_ = 0;
  int order_ = 0;
};

}  // namespace

std::uint64_t common_shuffle_seed(std::optional<std::uint64_t> given, const Communicator& comm) {
  // The sum of one number and zeros: a broadcast of 64 bits by what there is.
  std::array<std::uint64_t, 1> seed = {0};
  if (comm.is_root()) {
    seed[0] = given ? *given : std::random_device{}();
  }
  comm.all_reduce(std::span<std::uint64_t>(seed), MPI_SUM);
  return seed[0];
}

Result<std::vector<std::size_t>> agree_on_selection(
    std::span<const std::unique_ptr<BenchmarkCase>> cases, std::string filter,
    const Communicator& comm) {
  std::vector<std::string> names;
  for (const auto& each : cases) {
    names.push_back(each->description().name);
  }
  comm.broadcast(filter);
  return select_cases(filter, names);
}

Result<RunResult> run_cases(std::span<const std::unique_ptr<BenchmarkCase>> cases,
                            const RunSettings& settings, const RunContext& context,
                            const Communicator& comm) {
  SHARDMARK_ASSIGN_OR_RETURN(const auto selected,
                             agree_on_selection(cases, settings.flags.filter, comm));
  std::vector<BenchmarkCase*> chosen;
  for (const std::size_t i : selected) {
    chosen.push_back(cases[i].get());
  }
  SHARDMARK_RETURN_IF_ERROR(prepare_google_benchmark(settings.flags, context, comm));
  return Session(std::move(chosen), settings, context, comm).run();
}

}  // namespace shardmark::bench
