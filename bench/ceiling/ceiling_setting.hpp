// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
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

  /// Local. What the files of a load are called.
  static std::string load_stem(const CeilingKind& loads) {
    return loads.sharing() == FileSharing::one_file ? "load"
           : loads.o_direct                         ? "load-direct"
                                                    : "load-buffered";
  }
  /// Collective. Makes the files that a load reads, unless they are there.
  Status prepare_load_files(const CeilingKind& loads);
  /// Collective. Writes them anew, as `option` says, where every rank has its own: how fast a file
  /// is read is decided by where and how it was written, by a third on some disks, and one file for
  /// all repetitions would measure one place. HDF5's shared file stays.
  Status renew_load_files(const CeilingKind& loads, const CeilingOption& option);

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
  Status make_own_load_files(const CeilingKind& loads, const CeilingOption& option,
                             const std::string& stem);
  Status make_shared_load_file(const std::string& stem);
  Status write_load_files(const CeilingKind& kind, const CeilingOption& option,
                          const std::string& stem);
  void let_go_of_memory();

  Config config_;
  SuiteEnvironment& environment_;
  std::string name_;
  std::shared_ptr<SharedCeilingMemory> memory_;
  int users_ = 0;
  std::optional<CeilingShares> shares_;
  std::int64_t period_bytes_ = 0;
  std::optional<CeilingFolder> folder_;
  std::set<std::string> load_files_;            // stems of those that are there
  std::optional<std::int64_t> shared_address_;  // of the bytes in the shared file, once it is there
};

}  // namespace shardmark::bench
