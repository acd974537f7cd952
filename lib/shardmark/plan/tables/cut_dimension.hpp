// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "shardmark/protocol/placement.hpp"

namespace shardmark {

/// How one tensor dimension is cut by those mesh dimensions that shard it: the runs of indices that
/// its mesh coordinates ("cells") hold, by start ascending. Together they are all indices, each
/// once; a cell may hold none, one or, with strided placements, several.
///
/// Nested plain shards, and the strided placement of fsdp with tensor parallelism where it divides
/// evenly, are pure arithmetic: O(levels) for any question, whatever the number of ranks. Other
/// strided placements keep a table of their runs, O(cells).
class CutDimension {
 public:
  struct Cut {
    std::int64_t parts = 1;  // extent of the mesh dimension
    Placement placement;
  };
  struct Run {
    std::int64_t start = 0;
    std::int64_t length = 0;
  };

  /// Local. `cuts` in the order of mesh dimensions. Nothing if the table would be too big.
  static std::optional<CutDimension> make(std::int64_t extent, std::span<const Cut> cuts);

  std::uint64_t num_runs() const noexcept { return num_runs_; }
  Run run(std::uint64_t ordinal) const noexcept;
  /// The run that holds `index`, which must lie in the dimension.
  std::uint64_t run_at(std::int64_t index) const noexcept;
  /// The cell that holds a run: a coordinate for each cut.
  void cell_of(std::uint64_t ordinal, std::span<std::int64_t> cell) const noexcept;

  /// Calls `take(ordinal, run)` for the runs of one cell, ascending.
  template <typename Take>
  void for_each_run_of(std::span<const std::int64_t> cell, const Take& take) const {
    if (table_ == nullptr) {
      std::uint64_t ordinal = 0;
      const Run found = nested_run(cell, ordinal);
      if (found.length > 0) {
        take(ordinal, found);
      }
      return;
    }
    const std::uint64_t number = cell_number(cell);
    for (std::uint64_t i = table_->first_of_cell[number]; i < table_->first_of_cell[number + 1];
         ++i) {
      const std::uint32_t ordinal = table_->ordinals[i];
      take(ordinal, table_->runs[ordinal]);
    }
  }

 private:
  struct Level {
    std::int64_t parts;
    std::size_t cut;  // whose coordinate counts here
  };
  struct Table {
    std::vector<Run> runs;
    std::vector<std::uint32_t> cells;  // by run
    std::vector<std::uint64_t> first_of_cell;
    std::vector<std::uint32_t> ordinals;  // by cell, ascending in one
  };

  std::uint64_t count(std::int64_t extent, std::size_t level) const noexcept;
  Run nested_run(std::span<const std::int64_t> cell, std::uint64_t& ordinal) const noexcept;
  std::uint64_t cell_number(std::span<const std::int64_t> cell) const noexcept;
  bool use_levels(std::span<const Cut> cuts);
  bool use_table(std::span<const Cut> cuts);

  std::int64_t extent_ = 0;
  std::uint64_t num_runs_ = 0;
  std::vector<std::int64_t> parts_;  // by cut
  std::vector<Level> levels_;
  std::shared_ptr<const Table> table_;  // immutable, shared by copies of this dimension
};

}  // namespace shardmark
