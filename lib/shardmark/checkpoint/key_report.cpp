// SPDX-License-Identifier: Apache-2.0
#include "shardmark/checkpoint/key_report.hpp"

#include <algorithm>
#include <cstring>
#include <set>

#include "shardmark/plan/tables/byte_codec.hpp"

namespace shardmark {
namespace {

constexpr int names_tag = 73;
constexpr std::size_t entries_per_word = 64;

std::vector<std::byte> encoded(const auto& names) {
  ByteWriter out;
  out.varint(names.size());
  for (const std::string& name : names) {
    out.text(name);
  }
  return std::move(out).take();
}

void decode(std::span<const std::byte> bytes, std::set<std::string>& names) {
  ByteReader in(bytes);
  const std::size_t size = in.length();
  for (std::size_t i = 0; i < size && in.ok(); ++i) {
    names.emplace(in.text());
  }
}

/// Collective. The names of all ranks, each once.
std::vector<std::string> united(const std::vector<std::string>& names, const Communicator& comm) {
  if (comm.all_reduce(static_cast<std::int64_t>(names.size()), MPI_MAX) == 0) {
    return {};
  }
  std::set<std::string> all(names.begin(), names.end());
  std::vector<std::byte> bytes = encoded(all);
  if (comm.is_root()) {
    for (int rank = 1; rank < comm.size(); ++rank) {
      decode(comm.recv(rank, names_tag), all);
    }
    bytes = encoded(all);
  } else {
    comm.send(bytes, 0, names_tag);
  }
  comm.broadcast(bytes);
  decode(bytes, all);
  return {all.begin(), all.end()};
}

}  // namespace

KeyReport report_keys(const LoadPlan& plan, const EntryTable& entries, const Communicator& comm) {
  KeyReport report;
  report.missing = united(plan.missing, comm);
  std::vector<std::uint64_t> wanted(
      (entries.entries.size() + entries_per_word - 1) / entries_per_word, 0);
  for (const std::uint32_t entry : plan.wanted_entries) {
    wanted[entry / entries_per_word] |= std::uint64_t{1} << (entry % entries_per_word);
  }
  comm.all_reduce(std::span(wanted), MPI_BOR);
  for (std::size_t entry = 0; entry < entries.entries.size(); ++entry) {
    if ((wanted[entry / entries_per_word] >> (entry % entries_per_word) & 1U) == 0) {
      report.unexpected.push_back(entries.entries[entry].fqn);
    }
  }
  return report;
}

}  // namespace shardmark
