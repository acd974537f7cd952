// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/direct/direct_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <unordered_map>
#include <utility>

#include "shardmark/core/checksum.hpp"
#include "shardmark/storage/direct/write_proof.hpp"
#include "shardmark/storage/raw/transfer_runs.hpp"

namespace shardmark {

Status DirectWriter::create(const SaveTarget& target) {
  entries_ = target.entries;
  SHARDMARK_ASSIGN_OR_RETURN(files_, made_by_->create(target));
  SHARDMARK_ASSIGN_OR_RETURN(SaveExchange exchange,
                             SaveExchange::arrange(target, files_, options_, comm_));
  exchange_.emplace(std::move(exchange));
  counters_.exchange = exchange_level_name(exchange_->level());
  counters_.exchange_why = exchange_->why();
  return {};
}

Status DirectWriter::write(std::span<const WriteTask> tasks) {
  tasks_ = tasks;
  checksums_.assign(options_.checksum == ChecksumKind::xxh3 ? tasks.size() : 0, 0);
  return agree(exchange_->level() == ExchangeLevel::off ? write_apart(tasks)
                                                        : write_together(tasks));
}

Status DirectWriter::agree(const Status& local) {
  const ScopedPhase wait(clock_, Phase::wait);
  return comm_.agree(local);
}

std::vector<DirectWriter::Transfer> DirectWriter::transfers_of(
    std::span<const WriteTask> tasks) const {
  std::vector<Transfer> transfers;
  transfers.reserve(tasks.size());
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    transfers.push_back({files_.pieces[first_ + i], tasks[i].write->box, tasks[i].elements,
                         entries_->entries[tasks[i].write->entry].fqn});
  }
  return transfers;
}

/// Collective where there are several clients; the status is not agreed.
Status DirectWriter::write_apart(std::span<const WriteTask> tasks) {
  std::vector<Transfer> transfers;
  std::vector<std::size_t> task_of;  // by transfer
  const std::vector<Transfer> all = transfers_of(tasks);
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    if (!is_for_root(files_, entries_->entries[tasks[i].write->entry], tasks[i])) {
      transfers.push_back(all[i]);
      task_of.push_back(i);
      continue;
    }
    counters_.bytes_written += tasks[i].elements.num_bytes();
    if (!checksums_.empty()) {
      checksums_[i] = xxh3(tasks[i].elements);
    }
  }
  std::vector<std::uint64_t> checksums(checksums_.empty() ? 0 : transfers.size());
  Status written = open_files(tasks);
  if (written) {
    written = write_elements(transfers, checksums);
  }
  for (std::size_t i = 0; i < checksums.size(); ++i) {
    checksums_[task_of[i]] = checksums[i];
  }
  if (files_.clients.several()) {
    SHARDMARK_RETURN_IF_ERROR(agree(written));  // what follows is collective
  }
  SHARDMARK_RETURN_IF_ERROR(written);
  SHARDMARK_ASSIGN_OR_RETURN(
      const std::int64_t requests,
      write_small_pieces(files_, {entries_, tasks, checksums_, first_}, comm_));
  counters_.bytes_written += static_cast<std::int64_t>(8 * checksums_.size());
  counters_.write_requests += requests;
  return {};
}

/// Collective; the status is not agreed.
Status DirectWriter::write_together(std::span<const WriteTask> tasks) {
  // What goes by itself, what together, and their places in the plan.
  std::array<std::vector<Transfer>, 2> transfers;
  std::array<std::vector<std::size_t>, 2> numbers;
  std::vector<Transfer> tiles;
  const std::vector<Transfer> all = transfers_of(tasks);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::size_t together = exchange_->has(all[i].piece.file) ? 1 : 0;
    transfers[together].push_back(all[i]);
    numbers[together].push_back(i);
    const Dims& sizes = all[i].piece.sizes;
    if (sizes != entries_->entries[tasks[i].write->entry].sizes && sizes != all[i].box.sizes) {
      tiles.push_back(all[i]);
    }
  }
  std::array<std::vector<std::uint64_t>, 2> checksums;
  for (std::size_t way = 0; way < 2; ++way) {
    checksums[way].resize(checksums_.empty() ? 0 : numbers[way].size());
  }
  Status written = open_files(tasks);
  if (written) {
    written = write_elements(transfers[0], checksums[0]);
  }
  // Whoever begins to fill regions must not be left alone.
  SHARDMARK_RETURN_IF_ERROR(agree(written));
  SHARDMARK_RETURN_IF_ERROR(agree(exchange_->write(transfers[1], tiles, open_, checksums[1],
                                                   options_.threads, counters_, clock_)));
  for (RawWriter::Edge& edge : exchange_->take_edges()) {
    edges_.push_back(edge);
  }
  note_o_direct_reason();
  for (std::size_t way = 0; way < 2; ++way) {
    for (std::size_t i = 0; i < checksums[way].size(); ++i) {
      checksums_[numbers[way][i]] = checksums[way][i];
    }
  }
  return write_checksums_on_root(files_, tasks, checksums_, entries_->num_chunks(), comm_,
                                 counters_);
}

Status DirectWriter::write_part(std::span<const WriteTask> tasks) {
  // A region must fill up at once, and what comes now need not lie side by side.
  if (exchange_->needed() && exchange_->level() != ExchangeLevel::off) {
    return Error{
        ErrorCode::invalid_argument,
        "storage.staging_bytes: a pool that is smaller than the state lets several clients "
        "of the file system write parts of one block at different times, which it is not "
        "known to keep; expected 0"};
  }
  exchange_->give_up("the staging pool of an asynchronous save is smaller than the state");
  counters_.exchange = exchange_level_name(exchange_->level());
  counters_.exchange_why = exchange_->why();
  SHARDMARK_RETURN_IF_ERROR(write(tasks));
  // Proven while the elements are still there.
  SHARDMARK_RETURN_IF_ERROR(flush());
  first_ += tasks.size();
  return {};
}

Status DirectWriter::open_files(std::span<const WriteTask> tasks) {
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    SHARDMARK_RETURN_IF_ERROR(open_file(files_.pieces[first_ + i].file));
  }
  for (const ExchangedFile& file : exchange_->files()) {
    SHARDMARK_RETURN_IF_ERROR(open_file(file.file));
  }
  return {};
}

Status DirectWriter::open_file(std::uint64_t number) {
  if (!open_.contains(number)) {
    SHARDMARK_ASSIGN_OR_RETURN(
        RawFile raw,
        RawFile::open(files_.paths[number], RawFile::Access::write, options_.o_direct));
    open_.emplace(number, std::move(raw));
  }
  return {};
}

Status DirectWriter::write_elements(std::span<const Transfer> transfers,
                                    std::span<std::uint64_t> checksums) {
  const bool hashes = !checksums.empty();
  std::unordered_map<std::size_t, StreamingChecksum> unfinished;  // by transfer
  RawWriter writer(options_.threads, counters_);
  TransferRuns<const std::byte> runs(transfers);
  Status status;
  while (!runs.done() && status) {
    const RawRun<const std::byte> run = runs.take(INT64_MAX);
    const std::span bytes(run.data, static_cast<std::size_t>(run.num_bytes));
    StreamingChecksum* const checksum = hashes ? &unfinished[run.transfer] : nullptr;
    status = writer.put(open_.at(run.file), bytes, run.offset, checksum);
    if (hashes && run.last) {
      checksums[run.transfer] = checksum->digest();
      unfinished.erase(run.transfer);
    }
  }
  const Status finished = writer.finish();
  edges_ = writer.take_edges();
  note_o_direct_reason();
  return status ? finished : status;
}

void DirectWriter::note_o_direct_reason() {
  for (const auto& [number, file] : open_) {
    if (options_.o_direct && counters_.o_direct_reason.empty()) {
      counters_.o_direct_reason = file.o_direct_reason();
    }
  }
}

Status DirectWriter::flush() {
  // All ranks durable first: the proof of one rank looks at pages that others share.
  SHARDMARK_RETURN_IF_ERROR(agree(sync()));
  return agree(prove());
}

Status DirectWriter::sync() const {
  for (const auto& [number, file] : open_) {
    SHARDMARK_RETURN_IF_ERROR(file.sync());
  }
  // Checksums, and on its leader a data file that nobody else may have touched.
  for (const std::uint64_t number :
       {std::uint64_t{0}, files_.leads_own_file ? files_.own_file : 0}) {
    if (!open_.contains(number)) {
      SHARDMARK_RETURN_IF_ERROR(fsync_path(files_.paths[number]));
    }
  }
  return {};
}

Status DirectWriter::prove() const {
  std::vector<WrittenClaim> edges;
  for (const RawWriter::Edge& edge : edges_) {
    const auto file = std::find_if(open_.begin(), open_.end(),
                                   [&](const auto& open) { return &open.second == edge.file; });
    edges.push_back(claim_of_bytes(file->first, edge.offset, edge.num_bytes, edge.checksum,
                                   fmt::format("{} bytes at {}", edge.num_bytes, edge.offset)));
  }
  return prove_written(files_, {entries_, tasks_, checksums_, first_}, std::move(edges), comm_);
}

}  // namespace shardmark
