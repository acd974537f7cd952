// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bench/ceiling/ceiling_files.hpp"
#include "bench/ceiling/ceiling_kind.hpp"
#include "bench/ceiling/ceiling_memory.hpp"
#include "bench/ceiling/ceiling_share.hpp"
#include "bench/config/config.hpp"
#include "bench/harness/measure/suite_environment.hpp"
#include "shardmark/profile/phase_times.hpp"

namespace shardmark::bench {

/// The buffers of all ceilings of a run: there while any of them is set up.
struct SharedCeilingMemory {
  CeilingMemory memory;
  int users = 0;
};

/// What the ceilings of one point share: sizes, and the files that loads read. Made by the first
/// case whose set-up succeeds, gone with the last.
class CeilingSetting {
 public:
  /// The values in the files that loads read.
  static constexpr std::uint64_t load_seed = 0x10AD;

  /// `name`: of a folder that no other setting of this run uses.
  CeilingSetting(Config config, SuiteEnvironment& environment, std::string name,
                 std::shared_ptr<SharedCeilingMemory> memory)
      : config_(std::move(config)),
        environment_(environment),
        name_(std::move(name)),
        memory_(std::move(memory)) {}

  /// Collective, from each case's set-up. After a failure nobody has entered, and the next case
  /// tries again. Errors, agreed: those of the workload, of a save, of the memory, of the folder.
  Status enter();
  /// Collective, from the tear-down of each case whose set-up has entered.
  Status leave();

  /// Collective. Makes the files that loads read, unless they are there.
  Status prepare_load_files(FileSharing sharing);

  /// Local. What this rank moves, at most `limit` bytes of it.
  std::vector<CeilingPiece> pieces(const CeilingKind& kind, const CeilingOption& option,
                                   std::int64_t limit) const;
  /// Collective; not agreed. Moves `pieces` between memory and the files called `stem`.
  Status move(const CeilingKind& kind, const CeilingOption& option, const std::string& stem,
              std::span<const CeilingPiece> pieces, PhaseClock& clock) const;

  const CeilingShares& shares() const { return *shares_; }
  const CeilingFolder& folder() const { return *folder_; }
  CeilingMemory& memory() { return memory_->memory; }
  /// Local. The source has what belongs to `seed`, of this setting's period.
  void fill(std::uint64_t seed) { memory().fill(seed, period_bytes_); }

 private:
  /// Collective.
  Status make_shared_parts();
  Status measure_shares();
  void let_go_of_memory();

  Config config_;
  SuiteEnvironment& environment_;
  std::string name_;
  std::shared_ptr<SharedCeilingMemory> memory_;
  int users_ = 0;
  std::optional<CeilingShares> shares_;
  std::int64_t period_bytes_ = 0;
  std::optional<CeilingFolder> folder_;
  bool has_own_files_ = false;
  std::optional<std::int64_t> shared_address_;  // of the bytes in the shared file, once it is there
};

}  // namespace shardmark::bench
