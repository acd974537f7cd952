// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/direct/direct_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "shardmark/core/checksum.hpp"
#include "shardmark/storage/direct/write_proof.hpp"
#include "shardmark/storage/raw/transfer_runs.hpp"

namespace shardmark {

Status DirectWriter::create(const SaveTarget& target) {
  entries_ = target.entries;
  SHARDMARK_ASSIGN_OR_RETURN(files_, made_by_->create(target));
  return {};
}

Status DirectWriter::write(std::span<const WriteTask> tasks) {
  tasks_ = tasks;
  Status written = open_files(tasks);
  if (written) {
    written = write_elements(tasks);
  }
  if (files_.clients.several()) {
    SHARDMARK_RETURN_IF_ERROR(agree(written));  // what follows is collective
  }
  if (written) {
    const auto requests = write_small_pieces(files_, {entries_, tasks, checksums_, first_}, comm_);
    written = Status(requests);
    if (requests) {
      counters_.bytes_written += static_cast<std::int64_t>(8 * checksums_.size());
      counters_.write_requests += *requests;
    }
  }
  return agree(written);
}

Status DirectWriter::agree(const Status& local) {
  const ScopedPhase wait(clock_, Phase::wait);
  return comm_.agree(local);
}

Status DirectWriter::write_part(std::span<const WriteTask> tasks) {
  SHARDMARK_RETURN_IF_ERROR(write(tasks));
  // Proven while the elements are still there.
  SHARDMARK_RETURN_IF_ERROR(flush());
  first_ += tasks.size();
  return {};
}

Status DirectWriter::open_files(std::span<const WriteTask> tasks) {
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const std::uint64_t file = files_.pieces[first_ + i].file;
    if (!open_.contains(file)) {
      SHARDMARK_ASSIGN_OR_RETURN(
          RawFile raw,
          RawFile::open(files_.paths[file], RawFile::Access::write, options_.o_direct));
      open_.emplace(file, std::move(raw));
    }
  }
  return {};
}

Status DirectWriter::write_elements(std::span<const WriteTask> tasks) {
  std::vector<RawTransfer<const std::byte>> transfers;
  transfers.reserve(tasks.size());
  std::vector<std::size_t> task_of;  // by transfer
  const bool hashes = options_.checksum == ChecksumKind::xxh3;
  checksums_.assign(hashes ? tasks.size() : 0, 0);
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    if (!is_for_root(files_, entries_->entries[tasks[i].write->entry], tasks[i])) {
      transfers.push_back({files_.pieces[first_ + i], tasks[i].write->box, tasks[i].elements});
      task_of.push_back(i);
    } else {
      counters_.bytes_written += tasks[i].elements.num_bytes();
      if (hashes) {
        checksums_[i] = xxh3(tasks[i].elements);
      }
    }
  }
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
      checksums_[task_of[run.transfer]] = checksum->digest();
      unfinished.erase(run.transfer);
    }
  }
  const Status finished = writer.finish();
  edges_ = writer.take_edges();
  for (const auto& [number, file] : open_) {
    if (options_.o_direct && counters_.o_direct_reason.empty()) {
      counters_.o_direct_reason = file.o_direct_reason();
    }
  }
  return status ? finished : status;
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
