// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/measure/io_explanation.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "bench/text/human_units.hpp"
#include "shardmark/storage/contract/storage_writer.hpp"

namespace shardmark::bench {
namespace {

// H5D_mpio_no_collective_cause_t, bit by bit.
constexpr std::array<std::string_view, 7> causes = {"set to independent",
                                                    "datatype conversion",
                                                    "data transforms",
                                                    "MPI optimised types disabled",
                                                    "not simple or scalar dataspaces",
                                                    "not contiguous or chunked dataset",
                                                    "parallel filtered writes disabled"};
constexpr std::uint32_t datatype_conversion = 0x02;

// Shares of the whole from which on something is worth a word.
constexpr double many = 0.1;
constexpr double high_share = 0.5;
constexpr std::size_t most_names_shown = 3;

double share(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}

std::string names(const std::vector<std::string>& fqns) {
  const std::size_t shown = std::min(fqns.size(), most_names_shown);
  std::string text = fmt::format(
      "{}", fmt::join(fqns.begin(), fqns.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
  return fqns.size() > shown ? text + fmt::format(" and {} more", fqns.size() - shown) : text;
}

IoExplanation explain_broken(const IoFacts::BrokenCollective& broken) {
  const std::string who = broken.ranks.empty()
                              ? "on all ranks"
                              : fmt::format("by rank{} {}", broken.ranks.size() == 1 ? "" : "s",
                                            fmt::join(broken.ranks, ", "));
  if ((broken.cause & datatype_conversion) != 0) {
    return {
        "type-conversion",
        fmt::format(
            "HDF5 converted elements between memory and file {}, one piece after another and never collectively: {}",
            who, names(broken.fqns)),
        "store each tensor in the type it has in memory (model.dtype)"};
  }
  return {"collective-broken",
          fmt::format("collective transfers of {} were made independent {}; HDF5's reason: {}",
                      names(broken.fqns), who, no_collective_cause_text(broken.cause)),
          "storage.io = \"direct\" or \"independent\", which ask no rank to wait for another"};
}

void explain_requests(const IoFacts& facts, std::vector<IoExplanation>& found) {
  if (share(facts.small_requests, facts.requests) > high_share) {
    found.push_back(
        {"tiny-pieces",
         fmt::format("{} of {} requests are smaller than {} after neighbours were merged",
                     facts.small_requests, facts.requests, format_bytes(small_request_bytes)),
         "storage.layout = \"shared-chunked\" or \"per-rank\", where what a rank writes lies end to end"});
  }
  if (share(facts.misaligned_requests, facts.requests) > many) {
    found.push_back(
        {"misaligned",
         fmt::format(
             "{} of {} requests share a block of {} with others: those blocks go through the page cache",
             facts.misaligned_requests, facts.requests, format_bytes(facts.block_bytes)),
         facts.has_virtual  // already apart from other ranks: its own neighbours
             ? "storage.alignment = \"4KiB\" with allow_padding, or shapes whose shards are whole blocks"
             : "storage.layout = \"per-rank\", or shapes whose shards are whole blocks"});
  }
}

void explain_pieces(const IoFacts& facts, std::vector<IoExplanation>& found) {
  if (share(facts.small_piece_bytes, facts.num_bytes) > high_share) {
    found.push_back(
        {"tiny-pieces",
         fmt::format(
             "{} of {} pieces are smaller than {} and hold {:.0f} % of the bytes: {} a piece on average",
             facts.small_pieces, facts.pieces, format_bytes(facts.stripe_bytes),
             100 * share(facts.small_piece_bytes, facts.num_bytes),
             format_bytes(facts.num_bytes / std::max<std::int64_t>(facts.pieces, 1))),
         "storage.io = \"direct\", which merges neighbours; storage.layout = \"shared-chunked\" or \"per-rank\" where shards cut rows, \"packed\" where tensors are small"});
  }
  if (share(facts.misaligned_shares, facts.shares) > many) {
    found.push_back(
        {"misaligned",
         fmt::format(
             "{} of {} shares begin inside a block of {}: blocks at their ends are written by two ranks, or read before they are written",
             facts.misaligned_shares, facts.shares, format_bytes(facts.block_bytes)),
         "storage.alignment = \"1MiB\" for large tensors (with allow_padding where that pads), or storage.layout = \"per-rank\""});
  }
}

}  // namespace

std::string no_collective_cause_text(std::uint32_t bits) {
  std::string text;
  for (std::size_t bit = 0; bit < causes.size(); ++bit) {
    if ((bits >> bit & 1U) != 0) {
      text += (text.empty() ? "" : ", ") + std::string(causes[bit]);
    }
  }
  return text.empty() ? fmt::format("HDF5 cause {:#x}", bits) : text;
}

std::vector<IoExplanation> explain(const IoFacts& facts) {
  std::vector<IoExplanation> found;
  for (const IoFacts::BrokenCollective& broken : facts.broken) {
    found.push_back(explain_broken(broken));
  }
  if (facts.requested == "direct") {
    explain_requests(facts, found);
  } else {
    explain_pieces(facts, found);
  }
  if (facts.metadata_share > many) {
    found.push_back(
        {"metadata",
         fmt::format(
             "creating and closing {} datasets took {:.0f} % of the time, in {} calls into HDF5",
             facts.datasets, 100 * facts.metadata_share, facts.metadata_calls),
         facts.has_virtual && facts.requested != "direct"  // where they are made beside the writes
             ? "storage.layout = \"shared\": virtual datasets take HDF5 four times as long as plain ones"
             : "fewer, larger tensors (a flat type, fewer optimizer tensors); storage.backend = \"posix\" shows what is left without HDF5"});
  }
  return found;
}

}  // namespace shardmark::bench
