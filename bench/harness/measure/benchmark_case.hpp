// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/harness/measure/family_traits.hpp"
#include "bench/harness/measure/sample.hpp"
#include "shardmark/core/result.hpp"

namespace shardmark::bench {

/// Which way a case moves the bytes of a checkpoint.
enum class Operation : std::uint8_t { none, save, load };

/// Local. "save", "load", or nothing.
std::string_view operation_name(Operation operation) noexcept;

/// What one line of the results is about.
struct CaseDescription {
  std::string name;  // of the benchmark, without Google Benchmark's suffixes
  FamilyTraits family;
  std::string model;
  std::string strategy;
  std::string variant;                      // "shared-independent", "coordinator", a hook
  std::string extra;                        // what else a sweep varies: "storage.checksum=none"
  std::map<std::string, std::string> keys;  // the sample's "case": backend, file_layout, io, ...
  Operation operation = Operation::none;
  bool discards = false;           // the back end keeps nothing: no rate of storage
  std::int64_t planned_bytes = 0;  // that an operation is expected to move, all ranks together
  std::string ceiling_group;       // equal where a ceiling moves the bytes of an I/O case
  std::int64_t world_size = 1;
  bool is_virtual = false;
  std::optional<std::string> skipped;  // why it cannot run here; then nothing below is called
};

/// One case: an operation that all ranks do together, once a repetition. The members are called in
/// the order below and are collective; the harness agrees on each one's failure, so a rank may
/// return its own local error, but only where all ranks leave the same collectives behind them.
class BenchmarkCase {
 public:
  explicit BenchmarkCase(CaseDescription description) : description_(std::move(description)) {}
  virtual ~BenchmarkCase() = default;
  BenchmarkCase(const BenchmarkCase&) = delete;
  BenchmarkCase& operator=(const BenchmarkCase&) = delete;

  const CaseDescription& description() const noexcept { return description_; }
  void rename(std::string name) { description_.name = std::move(name); }
  void plan_bytes(std::int64_t num_bytes) { description_.planned_bytes = num_bytes; }

  /// Once, before the first repetition. Not timed.
  virtual Status set_up() { return {}; }
  /// Before every repetition. Not timed.
  virtual Status prepare() { return {}; }
  /// How often operate() does the operation in a row, the same on all ranks; every time is divided
  /// by it. More than 1 only for what is too short to time alone.
  virtual std::int64_t passes() const { return 1; }
  /// The operation. Timed from a barrier to the end of the slowest rank.
  virtual Status operate() = 0;
  /// After operate(): this rank's seconds in it, where a case keeps clocks of its own, as for
  /// virtual ranks. All ranks or none.
  virtual std::optional<double> own_seconds() const { return std::nullopt; }
  /// After every repetition: what it did, and whether its contents are right. Not timed. A failure
  /// removes the number.
  virtual Status check(Measurement& measurement) = 0;
  /// After a failure of a member above: why this case has no number although nothing of ours
  /// failed, as where it measures another program. The same on all ranks, and so it stays: its
  /// repetitions, the earlier ones too, are left out with this reason, and the run does not fail.
  virtual std::optional<std::string> left_out() const { return std::nullopt; }
  /// Seconds that a member may take, where the case itself ends what takes longer.
  virtual double own_limit_s() const { return 0; }
  /// Once, after the last repetition, also when a member above failed.
  virtual Status tear_down() { return {}; }

 private:
  CaseDescription description_;
};

}  // namespace shardmark::bench
