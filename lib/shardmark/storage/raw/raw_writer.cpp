// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/raw/raw_writer.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "shardmark/core/guarded_thread.hpp"
#include "shardmark/core/rounding.hpp"

namespace shardmark {
namespace {

using Clock = std::chrono::steady_clock;

// Two, so that one request is under way while another begins.
constexpr int default_write_threads = 2;
constexpr std::size_t max_waiting_jobs = 8;
// Below this a request past the cache takes longer than the copy into the cache.
constexpr std::int64_t min_past_cache_write_bytes = std::int64_t{128} << 10;
// From here on a request of its own is cheaper than a copy that merges.
constexpr std::int64_t min_straight_write_bytes = std::int64_t{256} << 10;
// Hashed and copied while it is in the processor's cache.
constexpr std::size_t copy_bytes = std::size_t{128} << 10;

/// How much of a range goes past the cache: its whole blocks, where they are worth it.
std::int64_t past_cache_bytes(const RawFile& file, std::int64_t offset, std::int64_t num_bytes) {
  const std::int64_t block = file.block();
  const std::int64_t middle = round_down(offset + num_bytes, block) - round_up(offset, block);
  return file.o_direct() && middle >= min_past_cache_write_bytes ? middle : 0;
}

}  // namespace

RawWriter::RawWriter(int threads, WriteCounters& counters)
    : counters_(counters), threads_(threads == 0 ? default_write_threads : threads) {}

RawWriter::~RawWriter() {
  static_cast<void>(finish());
}

Status RawWriter::put(const RawFile& file, std::span<const std::byte> bytes, std::int64_t offset,
                      StreamingChecksum* checksum) {
  SHARDMARK_RETURN_IF_ERROR(failure());
  const auto size = static_cast<std::int64_t>(bytes.size());
  if (size >= min_straight_write_bytes && (!file.o_direct() || file.agrees(bytes.data(), offset))) {
    return put_straight(file, bytes, offset, checksum);
  }
  while (!bytes.empty()) {
    const std::span<std::byte> to = room(file, offset, static_cast<std::int64_t>(bytes.size()));
    work([&] {
      for (std::size_t done = 0; done < to.size(); done += copy_bytes) {
        const auto part = bytes.subspan(done, std::min(copy_bytes, to.size() - done));
        if (checksum != nullptr) {
          checksum->update(part);
        }
        std::memcpy(to.data() + done, part.data(), part.size());
      }
    });
    bytes = bytes.subspan(to.size());
    offset += static_cast<std::int64_t>(to.size());
    counters_.bytes_staged += static_cast<std::int64_t>(to.size());
  }
  return {};
}

template <typename Work>
void RawWriter::work(const Work& hash_and_copy) {
  const auto start = Clock::now();
  double& seconds = busy() ? counters_.overlapped_s : counters_.exposed_s;
  hash_and_copy();
  seconds += std::chrono::duration<double>(Clock::now() - start).count();
}

Status RawWriter::put_straight(const RawFile& file, std::span<const std::byte> bytes,
                               std::int64_t offset, StreamingChecksum* checksum) {
  submit_current();
  while (!bytes.empty()) {
    const std::int64_t end = straight_cut(offset, static_cast<std::int64_t>(bytes.size()));
    const auto part = bytes.first(static_cast<std::size_t>(end - offset));
    submit({&file, {{offset, part.data(), static_cast<std::int64_t>(part.size())}}, nullptr});
    if (checksum != nullptr) {
      work([&] { checksum->update(part); });
    }
    bytes = bytes.subspan(part.size());
    offset += static_cast<std::int64_t>(part.size());
  }
  return {};
}

/// Where the next bytes at `offset` go, fewer than wanted where the buffer ends.
std::span<std::byte> RawWriter::room(const RawFile& file, std::int64_t offset,
                                     std::int64_t num_bytes) {
  const auto place = [&]() -> std::int64_t {
    Segment& last = current_.segments.back();
    if (last.offset + last.num_bytes == offset) {
      return used_;
    }
    // The same place inside a block as in the file.
    const std::int64_t begin = round_up(used_, file.block()) + offset % file.block();
    if (begin < raw_piece_bytes) {
      current_.segments.push_back({offset, current_.buffer + begin, 0});
    }
    return begin;
  };
  std::int64_t begin = raw_piece_bytes;
  if (current_.buffer != nullptr && current_.file == &file) {
    begin = place();
  }
  if (begin >= raw_piece_bytes) {
    submit_current();
    current_.file = &file;
    current_.buffer = wait_for_buffer();
    begin = offset % file.block();
    current_.segments.push_back({offset, current_.buffer + begin, 0});
  }
  const std::int64_t taken = std::min(num_bytes, raw_piece_bytes - begin);
  current_.segments.back().num_bytes += taken;
  used_ = begin + taken;
  return {current_.buffer + begin, static_cast<std::size_t>(taken)};
}

void RawWriter::submit_current() {
  if (current_.buffer != nullptr) {
    submit(std::exchange(current_, {}));
    used_ = 0;
  }
}

void RawWriter::submit(Job job) {
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return in_flight_ < static_cast<int>(max_waiting_jobs); });
    ++in_flight_;
  }
  threads_.submit([this, job = std::move(job)] { run(job); });
}

void RawWriter::run(const Job& job) {
  Status status = failure();
  const bool some_past_cache =
      std::any_of(job.segments.begin(), job.segments.end(), [&](const Segment& segment) {
        return past_cache_bytes(*job.file, segment.offset, segment.num_bytes) > 0;
      });
  for (const Segment& segment : job.segments) {
    if (status) {
      status = guarded([&] { return write_segment(*job.file, segment, some_past_cache); });
    }
  }
  const std::lock_guard lock(mutex_);
  if (!status && failed_) {
    failed_ = status;
  }
  if (job.buffer != nullptr) {
    free_.push_back(job.buffer);
  }
  --in_flight_;
  changed_.notify_all();
}

Status RawWriter::write_segment(const RawFile& file, const Segment& segment, bool may_wait) {
  const std::int64_t block = file.block();
  const std::int64_t end = segment.offset + segment.num_bytes;
  const std::int64_t middle_bytes = past_cache_bytes(file, segment.offset, segment.num_bytes);
  const auto part = [&](std::int64_t from, std::int64_t to) {
    return std::span(segment.data + (from - segment.offset), static_cast<std::size_t>(to - from));
  };
  if (middle_bytes == 0) {
    return write_cached(file, part(segment.offset, end), segment.offset, may_wait);
  }
  const std::int64_t middle = round_up(segment.offset, block);
  const std::int64_t middle_end = middle + middle_bytes;
  note_request(file, {middle, nullptr, middle_bytes}, true);
  for (const auto& [from, to] : {std::pair(segment.offset, middle), std::pair(middle_end, end)}) {
    if (from < to) {
      SHARDMARK_RETURN_IF_ERROR(write_cached(file, part(from, to), from, true));
      const std::lock_guard lock(mutex_);
      edges_.push_back({&file, from, to - from, xxh3(part(from, to))});
    }
  }
  return file.write(part(middle, middle_end), middle, true);
}

Status RawWriter::write_cached(const RawFile& file, std::span<const std::byte> bytes,
                               std::int64_t offset, bool may_wait) {
  const auto num_bytes = static_cast<std::int64_t>(bytes.size());
  if (may_wait) {
    const std::lock_guard lock(mutex_);
    if (!waiting_piece_) {
      waiting_piece_.emplace();
    }
    if (waiting_bytes_ + num_bytes <= raw_piece_bytes) {
      std::byte* const to = waiting_piece_->data() + waiting_bytes_;
      std::memcpy(to, bytes.data(), bytes.size());
      waiting_.push_back({&file, offset, {to, bytes.size()}});
      waiting_bytes_ += num_bytes;
      own_.bytes_staged += num_bytes;
      return {};
    }
  }
  note_request(file, {offset, nullptr, num_bytes}, false);
  return file.write(bytes, offset, false);
}

/// Of the calling thread, when no other writes any more.
Status RawWriter::write_waiting() {
  for (const Waiting& waiting : std::exchange(waiting_, {})) {
    note_request(*waiting.file,
                 {waiting.offset, nullptr, static_cast<std::int64_t>(waiting.bytes.size())}, false);
    SHARDMARK_RETURN_IF_ERROR(waiting.file->write(waiting.bytes, waiting.offset, false));
  }
  waiting_bytes_ = 0;
  return {};
}

void RawWriter::note_request(const RawFile& file, const Segment& segment, bool past_cache) {
  const std::lock_guard lock(mutex_);
  ++own_.write_requests;
  own_.bytes_written += segment.num_bytes;
  own_.bytes_o_direct += past_cache ? segment.num_bytes : 0;
  own_.small_requests += segment.num_bytes < small_request_bytes ? 1 : 0;
  const bool aligned = segment.offset % file.block() == 0 && segment.num_bytes % file.block() == 0;
  own_.misaligned_requests += aligned ? 0 : 1;
}

std::byte* RawWriter::wait_for_buffer() {
  std::unique_lock lock(mutex_);
  // One buffer is for what waits.
  if (free_.empty() && pieces_.size() + 1 < raw_staging_buffers) {
    pieces_.emplace_back();
    return pieces_.back().data();
  }
  changed_.wait(lock, [this] { return !free_.empty(); });
  std::byte* const buffer = free_.back();
  free_.pop_back();
  return buffer;
}

Status RawWriter::failure() {
  const std::lock_guard lock(mutex_);
  return failed_;
}

Status RawWriter::finish() {
  submit_current();
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return in_flight_ == 0; });
  if (failed_) {
    lock.unlock();
    const Status written = write_waiting();
    lock.lock();
    failed_ = written;
  }
  counters_.write_requests += std::exchange(own_.write_requests, 0);
  counters_.bytes_written += std::exchange(own_.bytes_written, 0);
  counters_.bytes_staged += std::exchange(own_.bytes_staged, 0);
  counters_.bytes_o_direct += std::exchange(own_.bytes_o_direct, 0);
  counters_.small_requests += std::exchange(own_.small_requests, 0);
  counters_.misaligned_requests += std::exchange(own_.misaligned_requests, 0);
  return failed_;
}

std::vector<RawWriter::Edge> RawWriter::take_edges() {
  const std::lock_guard lock(mutex_);
  return std::exchange(edges_, {});
}

}  // namespace shardmark
