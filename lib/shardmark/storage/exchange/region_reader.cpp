// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/exchange/region_reader.hpp"

#include <algorithm>
#include <cstring>
#include <thread>
#include <utility>

#include "shardmark/core/guarded_thread.hpp"
#include "shardmark/core/progress.hpp"
#include "shardmark/core/stream_copy.hpp"
#include "shardmark/storage/exchange/region_fetcher.hpp"

namespace shardmark {
namespace {

// Two, so that one request is under way while another ends.
constexpr int region_readers = 2;
// Copied and hashed while it is in the processor's cache.
constexpr std::size_t deliver_step_bytes = std::size_t{128} << 10;

/// Regions are passed upwards once, which boxes of one rank that overlap cannot be.
Error wanted_twice() {
  return Error{ErrorCode::mismatch,
               "a rank wants elements twice: create_chunk_list must give boxes that do not overlap "
               "(storage.exchange = \"off\" reads them one by one)"};
}

}  // namespace

RegionReader::RegionReader(const SharedStaging& staging, const Setting& setting,
                           ReadCounters& counters, PhaseClock* clock)
    : staging_(staging),
      setting_(setting),
      counters_(counters),
      clock_(clock),
      input_(staging, setting.regions, setting.open_files, setting.sieve_gap) {
  if (setting_.threads == 0) {
    setting_.threads = region_readers;
  }
}

Status RegionReader::read(std::span<const RawTransfer<std::byte>> transfers,
                          std::span<const std::uint8_t> hashed, std::span<std::uint64_t> checksums,
                          std::span<const Watched> watched,
                          std::span<std::optional<std::uint64_t>> watched_checksums) {
  hashed_ = hashed;
  checksums_ = checksums;
  watched_checksums_ = watched_checksums;
  given_up_.assign(watched.size(), 0);
  std::vector<RawTransfer<std::byte>> seen;  // never touched: only where they lie in files counts
  for (const Watched& box : watched) {
    seen.push_back(
        {box.piece, box.box, contiguous_view(staging_.bytes(0), box.dtype, box.box.sizes)});
  }
  std::vector<std::thread> readers;
  std::optional<RegionFetcher> fetcher;
  if (setting_.messages != nullptr) {
    fetcher.emplace(staging_,
                    RegionFetcher::Setting{setting_.regions, setting_.rank, setting_.most_bytes,
                                           setting_.threads},
                    *setting_.messages, input_);
    if (const Status begun = start_thread(readers, [&fetcher] { fetcher->run(); }); !begun) {
      input_.note(begun);
      fetcher->run();  // says so to the others
    }
  } else {
    for (std::size_t k = 0; k < setting_.regions.size(); ++k) {
      if (setting_.regions[k].server == setting_.rank) {
        served_.push_back(k);
      }
    }
  }
  if (!served_.empty()) {
    input_.note(start_threads(readers, setting_.threads,
                              [this] { input_.note(guarded([&] { return serve(); })); }));
  }
  input_.note(guarded([&] {
    Walk ahead{TransferRuns<std::byte>(transfers), {}};
    Walk behind{TransferRuns<std::byte>(transfers), {}};
    Walk watching{TransferRuns<std::byte>(seen), {}};
    const std::size_t count = setting_.regions.size();
    bool goes_on = true;
    for (std::size_t next = 0, k = 0; k < count && goes_on; ++k) {
      while (next < count && goes_on && (next == k || is_open(next))) {
        goes_on = announce(next++, ahead);
      }
      goes_on = goes_on && deliver(k, behind, watching);
    }
    return Status();
  }));
  {
    const ScopedHandOver handed_over;
    for (std::thread& reader : readers) {
      reader.join();
    }
  }
  input_.add_to(counters_);
  if (fetcher) {
    counters_.messages += fetcher->messages_sent();
  }
  return input_.status();
}

void RegionReader::enter_phase() {
  if (clock_ != nullptr) {
    clock_->enter(input_.in_flight() > 0 ? Phase::read : Phase::exchange);
  }
}

/// Whether the region's slot can be had without waiting.
bool RegionReader::is_open(std::size_t number) const {
  return staging_.slot(staging_.slot_of(number)).round.load() == staging_.round_of(number);
}

/// Calls `take(part of a run)` for all that lies in the region, `miss(run)` for what begins before:
/// of what is watched only, since nobody need read what lies between regions.
template <typename Miss, typename Take>
void RegionReader::take_region(Walk& walk, std::size_t number, const Miss& miss, const Take& take) {
  const ReadRegion& region = setting_.regions[number];
  const std::uint64_t file = setting_.numbers[region.file];
  while (walk.pending || !walk.runs.done()) {
    if (!walk.pending) {
      walk.pending = walk.runs.take(INT64_MAX);
    }
    Run& run = *walk.pending;
    if (std::pair(run.file, run.offset) >= std::pair(file, region.bytes.end)) {
      return;
    }
    if (run.file < file || run.offset < region.bytes.begin) {
      miss(run);
      walk.pending.reset();
      continue;
    }
    Run part = run;
    part.num_bytes = std::min(run.num_bytes, region.bytes.end - run.offset);
    part.last = run.last && part.num_bytes == run.num_bytes;
    take(part);
    if (part.num_bytes == run.num_bytes) {
      walk.pending.reset();
    } else {
      run.offset += part.num_bytes;
      run.data += part.num_bytes;
      run.num_bytes -= part.num_bytes;
    }
  }
}

/// Says what this rank wants of a region. False if a rank has failed.
bool RegionReader::announce(std::size_t number, Walk& walk) {
  constexpr std::int64_t block = SharedStaging::block_bytes;
  const int slot_number = staging_.slot_of(number);
  SharedStaging::Slot& slot = staging_.slot(slot_number);
  const std::uint32_t round = staging_.round_of(number);
  enter_phase();
  if (!staging_.wait(slot.round, [&](std::uint32_t value) { return value == round; })) {
    return false;
  }
  const BlockBits wanted = staging_.wanted(slot_number);
  const std::int64_t begin = setting_.regions[number].bytes.begin;
  std::int64_t wanted_bytes = 0;
  const auto overlap = [&](const Run&) { input_.note(wanted_twice()); };
  take_region(walk, number, overlap, [&](const Run& run) {
    const std::int64_t first = run.offset - begin;
    mark_blocks(wanted, first / block, (first + run.num_bytes + block - 1) / block);
    wanted_bytes += run.num_bytes;
  });
  slot.wanted_bytes.fetch_add(wanted_bytes, std::memory_order_relaxed);
  if (slot.filled.add(1) == static_cast<std::uint32_t>(staging_.shape().num_ranks)) {
    slot.filled.wake();
  }
  return true;
}

/// Copies this rank's part out of a region. False if a rank has failed.
bool RegionReader::deliver(std::size_t number, Walk& walk, Walk& watching) {
  const int slot_number = staging_.slot_of(number);
  SharedStaging::Slot& slot = staging_.slot(slot_number);
  const std::uint32_t round = staging_.round_of(number);
  enter_phase();
  if (!staging_.wait(slot.ready, [&](std::uint32_t value) { return value == round + 1; })) {
    return false;
  }
  enter_phase();
  const std::int64_t begin = setting_.regions[number].bytes.begin;
  const std::byte* const from = staging_.bytes(slot_number);
  const auto overlap = [&](const Run&) { input_.note(wanted_twice()); };
  take_region(walk, number, overlap,
              [&](const Run& run) { copy(run, from + (run.offset - begin)); });
  take_region(
      watching, number, [&](const Run& run) { give_up(run.transfer); },
      [&](const Run& run) {
        watch(run, from + (run.offset - begin), slot_number, run.offset - begin);
      });
  if (slot.done.add(1) == static_cast<std::uint32_t>(staging_.shape().num_ranks)) {
    for (const BlockBits bits : {staging_.wanted(slot_number), staging_.read(slot_number)}) {
      for (std::atomic<std::uint64_t>& word : bits) {
        word.store(0, std::memory_order_relaxed);
      }
    }
    slot.wanted_bytes.store(0, std::memory_order_relaxed);
    slot.filled.reset(0);
    slot.done.reset(0);
    slot.round.store(round + 1);
  }
  return true;
}

void RegionReader::copy(const Run& run, const std::byte* from) {
  const bool hashes = !hashed_.empty() && hashed_[run.transfer] != 0;
  const auto all = static_cast<std::size_t>(run.num_bytes);
  if (!hashes) {
    stream_copy({run.data, all}, {from, all});
  } else {
    StreamingChecksum& checksum = unfinished_[run.transfer];
    for (std::size_t done = 0; done < all; done += deliver_step_bytes) {
      const std::size_t length = std::min(deliver_step_bytes, all - done);
      std::memcpy(run.data + done, from + done, length);
      // In the program's own memory: the copy is covered too.
      checksum.update({run.data + done, length});
    }
  }
  counters_.bytes_staged += run.num_bytes;
  counters_.bytes_exchanged += run.num_bytes;
  if (hashes && run.last) {
    checksums_[run.transfer] = unfinished_[run.transfer].digest();
    unfinished_.erase(run.transfer);
  }
}

/// Some of a watched box is not read.
void RegionReader::give_up(std::size_t watched) {
  given_up_[watched] = 1;
  unfinished_watched_.erase(watched);
}

void RegionReader::watch(const Run& run, const std::byte* from, int slot,
                         std::int64_t offset_in_slot) {
  constexpr std::int64_t block = SharedStaging::block_bytes;
  if (given_up_[run.transfer] != 0) {
    return;
  }
  if (!all_marked(staging_.read(slot), offset_in_slot / block,
                  (offset_in_slot + run.num_bytes + block - 1) / block)) {
    give_up(run.transfer);
    return;
  }
  StreamingChecksum& checksum = unfinished_watched_[run.transfer];
  checksum.update({from, static_cast<std::size_t>(run.num_bytes)});
  if (run.last) {
    watched_checksums_[run.transfer] = checksum.digest();
    unfinished_watched_.erase(run.transfer);
  }
}

/// A thread of this rank: reads its regions as soon as all have said what they want.
Status RegionReader::serve() {
  const auto all = static_cast<std::uint32_t>(staging_.shape().num_ranks);
  for (std::size_t i = next_served_++; i < served_.size(); i = next_served_++) {
    const std::size_t number = served_[i];
    SharedStaging::Slot& slot = staging_.slot(staging_.slot_of(number));
    const std::uint32_t round = staging_.round_of(number);
    if (!staging_.wait(slot.round, [&](std::uint32_t value) { return value == round; }) ||
        !staging_.wait(slot.filled, [&](std::uint32_t value) { return value == all; })) {
      return {};
    }
    ++input_.in_flight();
    const Status status = input_.read(number);
    --input_.in_flight();
    input_.note(status);
    if (status) {
      slot.ready.store(round + 1);
    }
  }
  return {};
}

}  // namespace shardmark
