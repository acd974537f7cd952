// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/mpiio/mpiio_writer.hpp"

#include <cstdint>
#include <unordered_map>

#include "shardmark/core/checksum.hpp"
#include "shardmark/core/first_failure.hpp"
#include "shardmark/storage/contract/agree_waiting.hpp"
#include "shardmark/storage/direct/small_pieces.hpp"
#include "shardmark/storage/direct/write_proof.hpp"
#include "shardmark/storage/mpiio/mpiio_file.hpp"
#include "shardmark/storage/mpiio/run_gatherer.hpp"
#include "shardmark/storage/posix/file.hpp"
#include "shardmark/storage/raw/transfer_runs.hpp"

namespace shardmark {

Status MpiioWriter::create(const SaveTarget& target) {
  entries_ = target.entries;
  SHARDMARK_ASSIGN_OR_RETURN(files_, made_by_->create(target));
  return {};
}

Status MpiioWriter::write(std::span<const WriteTask> tasks) {
  tasks_ = tasks;
  SHARDMARK_RETURN_IF_ERROR(write_elements(tasks));
  Status written;
  const auto requests = write_small_pieces(files_, {entries_, tasks, checksums_}, comm_);
  written = Status(requests);
  if (requests) {
    counters_.bytes_written += static_cast<std::int64_t>(8 * checksums_.size());
    counters_.write_requests += *requests;
  }
  return agree_waiting(written, clock_, comm_);
}

Status MpiioWriter::write_elements(std::span<const WriteTask> tasks) {
  auto file =
      MpiioFile::open(files_.paths.front(), MpiioFile::Access::write, options_.hints, comm_);
  SHARDMARK_RETURN_IF_ERROR(file);
  std::vector<RawTransfer<const std::byte>> transfers;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    transfers.push_back({files_.pieces[i], tasks[i].write->box, tasks[i].elements});
  }
  const bool hashes = options_.checksum == ChecksumKind::xxh3;
  checksums_.assign(hashes ? tasks.size() : 0, 0);
  std::unordered_map<std::size_t, StreamingChecksum> unfinished;  // by task
  RunGatherer gatherer([&](std::span<const std::byte> bytes, std::int64_t offset) {
    counters_.bytes_written += static_cast<std::int64_t>(bytes.size());
    ++counters_.write_requests;
    return file->write(bytes, offset);
  });
  TransferRuns<const std::byte> runs(transfers);
  Status status;
  while (!runs.done() && status) {
    const RawRun<const std::byte> run = runs.take(INT64_MAX);
    const std::span bytes(run.data, static_cast<std::size_t>(run.num_bytes));
    if (hashes) {
      const ScopedPhase stage(clock_, Phase::stage);
      unfinished[run.transfer].update(bytes);
      if (run.last) {
        checksums_[run.transfer] = unfinished[run.transfer].digest();
        unfinished.erase(run.transfer);
      }
    }
    status = gatherer.put(bytes, run.offset);
  }
  const Status rest = gatherer.finish();
  counters_.bytes_staged += gatherer.bytes_staged();
  keep_first_failure(status, rest);
  // Collective, so whatever happened: nobody waits for a rank that does not come.
  const Status synced = file->sync();
  const Status closed = file->close();
  keep_first_failure(status, synced);
  keep_first_failure(status, closed);
  return agree_waiting(status, clock_, comm_);
}

Status MpiioWriter::flush() {
  SHARDMARK_RETURN_IF_ERROR(agree_waiting(fsync_path(files_.paths.front()), clock_, comm_));
  return agree_waiting(prove_written(files_, {entries_, tasks_, checksums_}, {}, comm_), clock_,
                       comm_);
}

}  // namespace shardmark
