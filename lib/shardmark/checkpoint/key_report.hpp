// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "shardmark/mpi/communicator.hpp"
#include "shardmark/plan/load/load_plan.hpp"
#include "shardmark/plan/tables/entry_table.hpp"

namespace shardmark {

/// How the names that a program wants and those of a checkpoint differ. Ascending.
struct KeyReport {
  std::vector<std::string> missing;     // wanted by some rank, not in the checkpoint
  std::vector<std::string> unexpected;  // in the checkpoint, wanted by no rank
};

/// Collective. The same on all ranks.
KeyReport report_keys(const LoadPlan& plan, const EntryTable& entries, const Communicator& comm);

}  // namespace shardmark
