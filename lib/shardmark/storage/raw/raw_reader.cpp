// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/raw/raw_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "shardmark/core/guarded_thread.hpp"
#include "shardmark/core/rounding.hpp"

namespace shardmark {
namespace {

// So that the device always has requests to choose from while others begin and end.
constexpr int default_read_threads = 4;
constexpr std::size_t max_under_way = 8;
// From here on a read of its own, straight to its place, is cheaper than a copy.
constexpr std::int64_t min_straight_read_bytes = std::int64_t{256} << 10;

// Below this, whole blocks would be a good part of a request.
constexpr std::int64_t min_past_cache_read_bytes = std::int64_t{64} << 10;
// Gaps may be this part of all that is needed. Those within a page are no matter: it is read whole.
constexpr std::int64_t gap_share = 5;
constexpr std::int64_t free_gap_bytes = default_block_bytes - 1;
// Of one request, so that short rows take no more memory than what is read of them.
constexpr std::size_t max_runs = std::size_t{1} << 16;

bool goes_straight(const RawRun<std::byte>& run, const RawFile& file) {
  return run.num_bytes >= min_straight_read_bytes &&
         (!file.o_direct() || file.agrees(run.data, run.offset));
}

}  // namespace

RawReader::RawReader(const Options& options, ReadCounters& counters)
    : options_(options),
      counters_(counters),
      threads_(options.threads == 0 ? default_read_threads : options.threads) {}

RawReader::~RawReader() {
  // Threads may still read into what this owns.
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] {
    return std::all_of(under_way_.begin(), under_way_.end(),
                       [](const auto& request) { return request->done; });
  });
}

Status RawReader::read(std::span<const RawTransfer<std::byte>> transfers,
                       const std::unordered_map<std::uint64_t, RawFile>& files,
                       std::span<std::uint64_t> checksums) {
  checksums_ = checksums;
  for (const RawTransfer<std::byte>& transfer : transfers) {
    gap_budget_ += transfer.box.num_elements() * element_size(transfer.elements.dtype) / gap_share;
  }
  TransferRuns<std::byte> runs(transfers);
  while (!runs.done()) {
    Run run = runs.take(INT64_MAX);
    const RawFile& file = files.at(run.file);
    while (run.num_bytes > 0) {
      // Staged pieces are cut at multiples of a buffer, so that only the ends are ragged.
      const std::int64_t cut = goes_straight(run, file)
                                   ? straight_cut(run.offset, run.num_bytes)
                                   : round_down(run.offset, raw_piece_bytes) + raw_piece_bytes;
      Run part = run;
      part.num_bytes = std::min(run.num_bytes, cut - run.offset);
      part.last = run.last && part.num_bytes == run.num_bytes;
      SHARDMARK_RETURN_IF_ERROR(add(part, file));
      run.offset += part.num_bytes;
      run.data += part.num_bytes;
      run.num_bytes -= part.num_bytes;
    }
  }
  SHARDMARK_RETURN_IF_ERROR(submit_current());
  while (!under_way_.empty()) {
    SHARDMARK_RETURN_IF_ERROR(finish_oldest());
  }
  return {};
}

bool RawReader::fits(const Request& request, const Run& run, const RawFile& file) const {
  const std::int64_t gap = std::max<std::int64_t>(0, run.offset - request.needed_end);
  const std::int64_t begin = round_down(request.offset, file.block());
  const std::int64_t end =
      round_up(std::max(request.needed_end, run.offset + run.num_bytes), file.block());
  return request.file == &file && request.runs.size() < max_runs &&
         gap <= std::min(options_.sieve_gap, std::max(gap_budget_, free_gap_bytes)) &&
         end - begin <= raw_piece_bytes;
}

Status RawReader::add(const Run& run, const RawFile& file) {
  if (goes_straight(run, file)) {
    return read_straight(run, file);
  }
  if (current_ && !fits(*current_, run, file)) {
    SHARDMARK_RETURN_IF_ERROR(submit_current());
  }
  if (!current_) {
    current_ = std::make_unique<Request>();
    current_->file = &file;
    current_->offset = run.offset;
    current_->staged = true;
    current_->needed_end = run.offset;
  }
  const std::int64_t gap = std::max<std::int64_t>(0, run.offset - current_->needed_end);
  gap_budget_ -= gap > free_gap_bytes ? gap : 0;
  current_->needed_end = std::max(current_->needed_end, run.offset + run.num_bytes);
  current_->runs.push_back(run);
  return {};
}

/// Large pieces whose memory agrees with the file; the ragged ends go through staging.
Status RawReader::read_straight(Run run, const RawFile& file) {
  const std::int64_t end = run.offset + run.num_bytes;
  const bool past_cache = file.o_direct();
  const std::int64_t middle = past_cache ? round_up(run.offset, file.block()) : run.offset;
  const std::int64_t middle_end = past_cache ? round_down(end, file.block()) : end;
  const auto part = [&](std::int64_t from, std::int64_t to, bool last) {
    Run piece = run;
    piece.offset = from;
    piece.data = run.data + (from - run.offset);
    piece.num_bytes = to - from;
    piece.last = last && run.last;
    return piece;
  };
  if (run.offset < middle) {
    SHARDMARK_RETURN_IF_ERROR(add(part(run.offset, middle, false), file));
  }
  SHARDMARK_RETURN_IF_ERROR(submit_current());
  const Run whole = part(middle, middle_end, middle_end == end);
  auto request = std::make_unique<Request>();
  request->file = &file;
  request->offset = whole.offset;
  request->num_bytes = whole.num_bytes;
  request->to = whole.data;
  request->past_cache = past_cache;
  request->needed_end = middle_end;
  request->runs.push_back(whole);
  counters_.add(request->num_bytes);
  SHARDMARK_RETURN_IF_ERROR(submit(std::move(request)));
  return middle_end < end ? add(part(middle_end, end, true), file) : Status();
}

Status RawReader::submit_current() {
  if (!current_) {
    return {};
  }
  std::unique_ptr<Request> request = std::move(current_);
  request->past_cache = request->file->o_direct() &&
                        request->needed_end - request->offset >= min_past_cache_read_bytes;
  counters_.add(request->needed_end - request->offset);
  const std::int64_t block = request->past_cache ? request->file->block() : 1;
  request->offset = round_down(request->offset, block);
  request->num_bytes = round_up(request->needed_end, block) - request->offset;
  while ((request->to = take_buffer()) == nullptr) {
    SHARDMARK_RETURN_IF_ERROR(finish_oldest());
  }
  return submit(std::move(request));
}

Status RawReader::read_request(const Request& request) {
  SHARDMARK_ASSIGN_OR_RETURN(
      const std::int64_t got,
      request.file->read({request.to, static_cast<std::size_t>(request.num_bytes)}, request.offset,
                         request.past_cache));
  if (request.offset + got < request.needed_end) {
    return Error{ErrorCode::data_loss,
                 fmt::format("{} ends at byte {}, {} were expected", request.file->path(),
                             request.offset + got, request.needed_end)};
  }
  return {};
}

Status RawReader::submit(std::unique_ptr<Request> request) {
  while (under_way_.size() >= max_under_way) {
    SHARDMARK_RETURN_IF_ERROR(finish_oldest());
  }
  counters_.bytes_o_direct += request->past_cache ? request->num_bytes : 0;
  Request* const job = request.get();
  under_way_.push_back(std::move(request));
  threads_.submit([this, job] {
    Status status = guarded([&] { return read_request(*job); });
    const std::lock_guard lock(mutex_);
    job->status = std::move(status);
    job->done = true;
    changed_.notify_all();
  });
  return {};
}

Status RawReader::finish_oldest() {
  Request& oldest = *under_way_.front();
  Status status;
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return oldest.done; });
    status = oldest.status;
  }
  if (status) {
    deliver(oldest);
  }
  if (oldest.staged) {
    free_.push_back(oldest.to);
  }
  under_way_.pop_front();
  return status;
}

void RawReader::deliver(const Request& request) {
  for (const Run& run : request.runs) {
    if (request.staged) {
      std::memcpy(run.data, request.to + (run.offset - request.offset),
                  static_cast<std::size_t>(run.num_bytes));
      counters_.bytes_staged += run.num_bytes;
    }
    // In the program's own memory: the copy is covered too.
    hash(run);
  }
}

void RawReader::hash(const Run& run) {
  if (options_.hashed.empty() || options_.hashed[run.transfer] == 0) {
    return;
  }
  StreamingChecksum& checksum = unfinished_[run.transfer];
  checksum.update({run.data, static_cast<std::size_t>(run.num_bytes)});
  if (run.last) {
    checksums_[run.transfer] = checksum.digest();
    unfinished_.erase(run.transfer);
  }
}

std::byte* RawReader::take_buffer() {
  if (free_.empty() && pieces_.size() < raw_staging_buffers) {
    pieces_.emplace_back();
    return pieces_.back().data();
  }
  if (free_.empty()) {
    return nullptr;
  }
  std::byte* const buffer = free_.back();
  free_.pop_back();
  return buffer;
}

}  // namespace shardmark
