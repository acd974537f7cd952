// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/direct/direct_reader.hpp"

#include <unordered_map>
#include <utility>

#include "shardmark/storage/direct/load_exchange.hpp"
#include "shardmark/storage/raw/raw_file.hpp"
#include "shardmark/storage/raw/raw_reader.hpp"
#include "shardmark/storage/raw/transfer_runs.hpp"

namespace shardmark {

Status DirectReader::read(const std::string& directory, const Manifest& manifest,
                          std::span<const ReadTask> tasks) {
  SHARDMARK_ASSIGN_OR_RETURN(LoadExchange exchange,
                             LoadExchange::arrange(tasks, manifest, options_, comm_));
  counters_.exchange = exchange_level_name(exchange.level());
  counters_.exchange_why = exchange.why();
  if (exchange.level() == ExchangeLevel::off) {
    return comm_.agree(read_locally(directory, manifest, tasks));
  }
  SHARDMARK_RETURN_IF_ERROR(exchange.read(directory, manifest, tasks, counters_, clock_));
  if (options_.hashes) {
    hashed_ = exchange.take_hashed();
  }
  return {};
}

Status DirectReader::read_locally(const std::string& directory, const Manifest& manifest,
                                  std::span<const ReadTask> tasks) {
  std::unordered_map<std::uint64_t, RawFile> files;
  std::vector<RawTransfer<std::byte>> transfers;
  std::vector<std::uint8_t> hashed;
  transfers.reserve(tasks.size());
  for (const ReadTask& task : tasks) {
    const PlannedRead& read = *task.read;
    const StoredPiece piece = manifest.piece_of(read.entry, read.chunk);
    if (!files.contains(piece.file)) {
      SHARDMARK_ASSIGN_OR_RETURN(RawFile file,
                                 RawFile::open(directory + "/" + manifest.files[piece.file],
                                               RawFile::Access::read, options_.o_direct));
      files.emplace(piece.file, std::move(file));
    }
    transfers.push_back({piece, read.box, task.elements, manifest.entries.entries[read.entry].fqn});
    hashed.push_back(options_.hashes && read.whole_chunk ? 1 : 0);
  }
  checksums_.assign(options_.hashes ? tasks.size() : 0, 0);
  RawReader reader({options_.threads, options_.sieve_gap, hashed}, counters_);
  const Status done = reader.read(transfers, files, checksums_);
  for (const auto& [number, file] : files) {
    if (options_.o_direct && counters_.o_direct_reason.empty()) {
      counters_.o_direct_reason = file.o_direct_reason();
    }
  }
  return done;
}

}  // namespace shardmark
