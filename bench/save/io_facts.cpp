// SPDX-License-Identifier: Apache-2.0
#include "bench/save/io_facts.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "bench/config/lib_options.hpp"
#include "shardmark/checkpoint/checkpoint_files.hpp"
#include "shardmark/checkpoint/inspect.hpp"
#include "shardmark/plan/tables/chunk_numbers.hpp"

namespace shardmark::bench {
namespace {

/// Where the first element of `box` lies, and how many elements lie end to end from there.
struct FirstRun {
  std::int64_t address = 0;
  std::int64_t elements = 1;
};

FirstRun first_run(const StoredPiece& piece, const Box& box, std::int64_t itemsize) {
  FirstRun run;
  std::int64_t stride = 1;
  std::int64_t offset = 0;
  bool whole = true;  // dimensions so far are covered from end to end
  for (int d = box.ndim() - 1; d >= 0; --d) {
    offset += (box.offsets[d] - piece.offsets[d]) * stride;
    stride *= piece.sizes[d];
    if (whole) {
      run.elements *= box.sizes[d];
      whole = box.sizes[d] == piece.sizes[d];
    }
  }
  run.address = piece.address + offset * itemsize;
  return run;
}

Result<Manifest> manifest_of(const std::string& directory, std::int64_t step,
                             const std::optional<PlayedWorld>& played) {
  if (!played) {
    SHARDMARK_ASSIGN_OR_RETURN(auto stored, inspect_checkpoint(directory, step));
    return std::move(stored.manifest);
  }
  SHARDMARK_ASSIGN_OR_RETURN(auto stored, open_played(directory, step, *played));
  return std::move(stored.manifest);
}

}  // namespace

void count_pieces(const Manifest& manifest, IoFacts& facts) {
  for (std::size_t e = 0; e < manifest.entries.entries.size(); ++e) {
    const Entry& entry = manifest.entries.entries[e];
    const std::int64_t itemsize = element_size(entry.dtype);
    for (const std::uint64_t c : ChunkNumbers(entry)) {
      const Box box = manifest.chunks.box(c, entry.sizes.ndim());
      const FirstRun run = first_run(manifest.piece_of(e, c), box, itemsize);
      const std::int64_t pieces = box.num_elements() / run.elements;
      ++facts.shares;
      facts.misaligned_shares += run.address % facts.block_bytes != 0 ? 1 : 0;
      facts.pieces += pieces;
      if (run.elements * itemsize < facts.stripe_bytes) {
        facts.small_pieces += pieces;
        facts.small_piece_bytes += box.num_elements() * itemsize;
      }
      facts.num_bytes += box.num_elements() * itemsize;
    }
  }
  facts.has_virtual = std::ranges::any_of(manifest.locations, [](const EntryLocation& location) {
    return location.stored_as == StoredAs::separate;
  });
  facts.datasets = static_cast<std::int64_t>(manifest.entries.entries.size());
}

std::vector<IoFacts::BrokenCollective> gather_broken(const SaveReport& report,
                                                     const Communicator& comm) {
  std::vector<IoFacts::BrokenCollective> found;
  const auto& own = report.counters.broken;
  if (comm.all_reduce(static_cast<std::int64_t>(own.size()), MPI_MAX) == 0) {
    return found;
  }
  std::vector<std::uint64_t> any(report.fqns.size(), 0);  // by entry
  // By bit of HDF5's reasons: the ranks that gave it, each as a bit of a word.
  constexpr std::size_t num_bits = 32;
  const std::size_t words = static_cast<std::size_t>(comm.size()) / 64 + 1;
  std::vector<std::uint64_t> ranks(num_bits * words, 0);
  for (const auto& [entry, cause] : own) {
    any[entry] |= cause.any;
    for (std::size_t bit = 0; bit < num_bits; ++bit) {
      if ((cause.own >> bit & 1U) != 0) {
        ranks[bit * words + static_cast<std::size_t>(comm.rank()) / 64] |= std::uint64_t{1}
                                                                           << (comm.rank() % 64);
      }
    }
  }
  comm.all_reduce(any, MPI_BOR);
  comm.all_reduce(ranks, MPI_BOR);
  std::map<std::uint32_t, std::vector<std::string>> fqns;  // by cause
  for (std::size_t entry = 0; entry < any.size(); ++entry) {
    if (any[entry] != 0) {
      fqns[static_cast<std::uint32_t>(any[entry])].push_back(report.fqns[entry]);
    }
  }
  for (auto& [cause, names] : fqns) {
    IoFacts::BrokenCollective broken{cause, std::move(names), {}};
    for (int rank = 0; rank < comm.size(); ++rank) {
      for (std::size_t bit = 0; bit < num_bits; ++bit) {
        const std::uint64_t word = ranks[bit * words + static_cast<std::size_t>(rank) / 64];
        if ((cause >> bit & 1U) != 0 && (word >> (rank % 64) & 1U) != 0) {
          broken.ranks.push_back(rank);
          break;
        }
      }
    }
    if (static_cast<int>(broken.ranks.size()) == comm.size()) {
      broken.ranks.clear();  // everybody's
    }
    found.push_back(std::move(broken));
  }
  return found;
}

std::vector<IoModeRecord> io_mode_records(const std::string& requested, const SaveReport& report,
                                          const std::vector<IoFacts::BrokenCollective>& broken) {
  if (broken.empty()) {
    return {{.requested = requested, .actual = requested, .reason = {}, .fqns = {}}};
  }
  std::vector<IoModeRecord> records;
  std::set<std::string> named;
  for (const IoFacts::BrokenCollective& each : broken) {
    records.push_back({.requested = requested,
                       .actual = "independent",
                       .reason = no_collective_cause_text(each.cause),
                       .fqns = each.fqns});
    named.insert(each.fqns.begin(), each.fqns.end());
  }
  IoModeRecord rest{.requested = requested, .actual = requested, .reason = {}, .fqns = {}};
  std::copy_if(report.fqns.begin(), report.fqns.end(), std::back_inserter(rest.fqns),
               [&](const std::string& fqn) { return !named.contains(fqn); });
  if (!rest.fqns.empty()) {
    records.push_back(std::move(rest));
  }
  return records;
}

void explain_save(const SaveReport& report, const Config& config, const std::string& directory,
                  const std::optional<PlayedWorld>& played, const Communicator& comm,
                  Measurement& measurement) {
  IoFacts facts;
  facts.backend = config.storage.backend;
  facts.requested = config.storage.io;
  facts.broken = gather_broken(report, comm);
  if (backend_of(config.storage).has_file_layouts) {
    measurement.io_modes = io_mode_records(facts.requested, report, facts.broken);
  }
  const auto total = [&](std::int64_t own) { return comm.all_reduce(own, MPI_SUM); };
  facts.requests = total(report.counters.write_requests);
  facts.small_requests = total(report.counters.small_requests);
  facts.misaligned_requests = total(report.counters.misaligned_requests);
  facts.metadata_calls = total(report.metadata_calls);
  const double metadata_s = report.phases[Phase::create] + report.phases[Phase::commit];
  facts.metadata_share =
      comm.all_reduce(metadata_s, MPI_MAX) / comm.all_reduce(report.durable_s, MPI_MAX);
  if (report.stripes.stripe_bytes > 0) {
    facts.stripe_bytes = report.stripes.stripe_bytes;
  }
  // No collective call follows: where the pieces lie is for one rank to read.
  if (!comm.is_root()) {
    return;
  }
  const auto manifest = manifest_of(directory, report.step, played);
  if (!manifest) {
    return;  // verification says what is wrong with it
  }
  count_pieces(*manifest, facts);
  measurement.why = explain(facts);
  auto& metrics = measurement.metrics;
  metrics["hdf5_metadata_calls"] = static_cast<double>(facts.metadata_calls);
  metrics["shares"] = static_cast<double>(facts.shares);
  metrics["misaligned_shares"] = static_cast<double>(facts.misaligned_shares);
  metrics["pieces"] = static_cast<double>(facts.pieces);
  metrics["pieces_below_stripe"] = static_cast<double>(facts.small_pieces);
  metrics["stripe_bytes"] = static_cast<double>(facts.stripe_bytes);
  if (report.stripes.stripe_count > 0) {
    metrics["stripe_count"] = static_cast<double>(report.stripes.stripe_count);
  }
}

}  // namespace shardmark::bench
