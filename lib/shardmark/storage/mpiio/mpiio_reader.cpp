// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/mpiio/mpiio_reader.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "shardmark/storage/mpiio/mpiio_file.hpp"
#include "shardmark/storage/raw/transfer_runs.hpp"

namespace shardmark {
namespace {

constexpr std::int64_t staging_bytes = std::int64_t{4} << 20;

/// Runs that lie end to end in the file, read in one request.
class Request {
 public:
  explicit Request(MpiioFile& file, ReadCounters& counters) : file_(file), counters_(counters) {}

  Status add(const RawRun<std::byte>& run) {
    const bool follows = !runs_.empty() && run.offset == offset_ + num_bytes_;
    if (!runs_.empty() && (!follows || num_bytes_ + run.num_bytes > staging_bytes)) {
      SHARDMARK_RETURN_IF_ERROR(finish());
    }
    if (runs_.empty()) {
      offset_ = run.offset;
    }
    runs_.push_back(run);
    num_bytes_ += run.num_bytes;
    return {};
  }

  Status finish() {
    if (runs_.empty()) {
      return {};
    }
    ++counters_.read_requests;
    counters_.bytes_read += num_bytes_;
    Status got;
    if (runs_.size() == 1) {
      got = file_.read({runs_.front().data, static_cast<std::size_t>(num_bytes_)}, offset_);
    } else {
      staging_.resize(static_cast<std::size_t>(num_bytes_));
      got = file_.read(staging_, offset_);
      const std::byte* from = staging_.data();
      for (const RawRun<std::byte>& run : runs_) {
        std::memcpy(run.data, from, static_cast<std::size_t>(run.num_bytes));
        from += run.num_bytes;
      }
      counters_.bytes_staged += num_bytes_;
    }
    runs_.clear();
    num_bytes_ = 0;
    return got;
  }

 private:
  MpiioFile& file_;
  ReadCounters& counters_;
  std::vector<RawRun<std::byte>> runs_;
  std::int64_t offset_ = 0;
  std::int64_t num_bytes_ = 0;
  std::vector<std::byte> staging_;
};

}  // namespace

Status MpiioReader::read(const std::string& directory, const Manifest& manifest,
                         std::span<const ReadTask> tasks) {
  // Opening is collective: every rank opens every file that holds elements.
  std::vector<std::int64_t> used(manifest.files.size(), 0);
  for (const ReadTask& task : tasks) {
    used[manifest.piece_of(task.read->entry, task.read->chunk).file] = 1;
  }
  comm_.all_reduce(used, MPI_MAX);
  for (std::size_t number = 0; number < used.size(); ++number) {
    if (used[number] != 0) {
      SHARDMARK_RETURN_IF_ERROR(
          read_file(directory + "/" + manifest.files[number], number, manifest, tasks));
    }
  }
  return {};
}

Status MpiioReader::read_file(const std::string& path, std::uint64_t number,
                              const Manifest& manifest, std::span<const ReadTask> tasks) {
  auto file = MpiioFile::open(path, MpiioFile::Access::read, options_.hints, comm_);
  SHARDMARK_RETURN_IF_ERROR(file);
  std::vector<RawTransfer<std::byte>> transfers;
  for (const ReadTask& task : tasks) {
    const StoredPiece piece = manifest.piece_of(task.read->entry, task.read->chunk);
    if (piece.file == number) {
      transfers.push_back({piece, task.read->box, task.elements});
    }
  }
  Request request(*file, counters_);
  TransferRuns<std::byte> runs(transfers);
  Status status;
  while (!runs.done() && status) {
    status = request.add(runs.take(INT64_MAX));
  }
  status = status ? request.finish() : status;
  const Status closed = file->close();
  return comm_.agree(status ? closed : status);
}

}  // namespace shardmark
