// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "bench/config/config.hpp"
#include "bench/harness/measure/io_explanation.hpp"
#include "bench/harness/measure/sample.hpp"
#include "shardmark/checkpoint/save_report.hpp"
#include "shardmark/mpi/communicator.hpp"
#include "shardmark/plan/merge/played_world.hpp"
#include "shardmark/storage/format/manifest.hpp"

namespace shardmark::bench {

/// Local. Shares, pieces and what is small or misaligned of them, as the manifest says they lie.
void count_pieces(const Manifest& manifest, IoFacts& facts);

/// Collective. Joins the ranks' reasons why collective transfers were none; the same on all ranks.
std::vector<IoFacts::BrokenCollective> gather_broken(const SaveReport& report,
                                                     const Communicator& comm);

/// Local. Requested and actual I/O mode: a record for each reason with its tensors, and one for the
/// rest (of all tensors where no reason was given).
std::vector<IoModeRecord> io_mode_records(const std::string& requested, const SaveReport& report,
                                          const std::vector<IoFacts::BrokenCollective>& broken);

/// Collective. How the transfers of a save into `directory`, by `played` if it was played, were
/// done, and what made them slow.
void explain_save(const SaveReport& report, const Config& config, const std::string& directory,
                  const std::optional<PlayedWorld>& played, const Communicator& comm,
                  Measurement& measurement);

}  // namespace shardmark::bench
