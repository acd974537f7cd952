// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/exchange/region_writer.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <thread>
#include <utility>

#include "shardmark/core/guarded_thread.hpp"
#include "shardmark/core/progress.hpp"
#include "shardmark/core/rounding.hpp"
#include "shardmark/storage/exchange/region_courier.hpp"

namespace shardmark {
namespace {

// Two, so that one request is under way while another begins.
constexpr int region_writers = 2;
// Hashed and copied while it is in the processor's cache.
constexpr std::int64_t fill_step_bytes = std::int64_t{128} << 10;
// In whole granules in a row, from here on a rank writes from its own memory.
constexpr std::int64_t least_straight_bytes = std::int64_t{2} << 20;

bool lies_as_in_file(const std::byte* data, std::int64_t offset, std::int64_t block) {
  return (reinterpret_cast<std::uintptr_t>(data) - static_cast<std::uintptr_t>(offset)) %
             static_cast<std::uintptr_t>(block) ==
         0;
}

}  // namespace

RegionWriter::RegionWriter(const SharedStaging& staging, const Setting& setting,
                           WriteCounters& counters, PhaseClock* clock)
    : staging_(staging),
      setting_(setting),
      counters_(counters),
      clock_(clock),
      output_(staging, setting.open_files) {
  for (const ExchangedFile& file : setting_.files) {
    gaps_.push_back(file.gaps());
    kept_elements_.push_back(file.kept_elements());
  }
  if (setting_.threads == 0) {
    setting_.threads = region_writers;
  }
}

/// Those that this rank writes or keeps part of, where all ranks share the staging.
void RegionWriter::find_own_regions() {
  for (std::size_t k = 0; k < setting_.regions.size(); ++k) {
    const Region& region = setting_.regions[k];
    const bool keeps = region.has_kept && setting_.files[region.file].keeper == setting_.rank;
    if (region.server == setting_.rank || keeps) {
      own_regions_.push_back(k);
    }
  }
}

RegionWriter::~RegionWriter() = default;

Status RegionWriter::write(std::span<const RawTransfer<const std::byte>> transfers,
                           std::span<std::uint64_t> checksums) {
  checksums_ = checksums;
  std::vector<std::thread> writers;
  std::optional<RegionCourier> courier;
  if (setting_.messages != nullptr) {
    courier.emplace(
        staging_,
        RegionCourier::Setting{setting_.files, setting_.regions, setting_.rank,
                               setting_.least_own_bytes, setting_.most_bytes, setting_.threads},
        *setting_.messages, output_);
    if (const Status begun = start_thread(writers, [&courier] { courier->run(); }); !begun) {
      output_.note(begun);
      courier->run();  // says so to the others
    }
  } else {
    find_own_regions();
  }
  if (!own_regions_.empty()) {
    output_.note(start_threads(writers, setting_.threads,
                               [this] { output_.note(guarded([&] { return serve(); })); }));
  }
  straight_ = std::make_unique<IoThreads>(setting_.threads);  // last: it can do without any
  output_.note(guarded([&] {
    TransferRuns<const std::byte> runs(transfers);
    for (std::size_t k = 0; k < setting_.regions.size() && fill(k, runs); ++k) {
    }
    return Status();
  }));
  enter_phase();
  {
    const ScopedHandOver handed_over;
    straight_.reset();  // when all of its writes are done
    if (courier) {
      courier->end_filling();
    }
    for (std::thread& writer : writers) {
      writer.join();
    }
  }
  output_.add_to(counters_);
  if (courier) {
    counters_.messages += courier->messages_sent();
    counters_.bytes_sent += courier->bytes_sent();
    counters_.bytes_exchanged += courier->bytes_sent();
  }
  return output_.status();
}

void RegionWriter::enter_phase() {
  if (clock_ != nullptr) {
    clock_->enter(output_.in_flight() > 0 ? Phase::write : Phase::exchange);
  }
}

/// Puts this rank's bytes of one region to their place. False if a rank has failed.
bool RegionWriter::fill(std::size_t number, TransferRuns<const std::byte>& runs) {
  const Region& region = setting_.regions[number];
  const int place_of_slot = staging_.slot_of(number);
  SharedStaging::Slot& slot = staging_.slot(place_of_slot);
  enter_phase();
  const std::uint32_t round = staging_.round_of(number);
  if (!staging_.wait(slot.round, [&](std::uint32_t value) { return value == round; })) {
    return false;
  }
  enter_phase();
  std::byte* const to = staging_.bytes(place_of_slot);
  if (region.server == setting_.rank) {
    for (const ByteRange& gap : intersect(gaps_[region.file], region.bytes)) {
      std::memset(to + (gap.begin - region.bytes.begin), 0,
                  static_cast<std::size_t>(gap.num_bytes()));
    }
  }
  const std::uint64_t file = setting_.files[region.file].file;
  while (pending_ || !runs.done()) {
    if (!pending_) {
      pending_ = runs.take(INT64_MAX);
    }
    Run& run = *pending_;
    if (std::pair(run.file, run.offset) >= std::pair(file, region.bytes.end)) {
      break;
    }
    Run part = run;
    part.num_bytes = std::min(run.num_bytes, region.bytes.end - run.offset);
    part.last = run.last && part.num_bytes == run.num_bytes;
    place(part, number);
    if (part.num_bytes == run.num_bytes) {
      pending_.reset();
    } else {
      run.offset += part.num_bytes;
      run.data += part.num_bytes;
      run.num_bytes -= part.num_bytes;
    }
  }
  if (slot.filled.add(1) == static_cast<std::uint32_t>(staging_.shape().num_ranks)) {
    slot.filled.wake();
  }
  return true;
}

/// The whole granules of a run that go from the program's own memory; empty if none do.
ByteRange RegionWriter::straight_part(const Run& run, const Region& region) const {
  const RawFile& file = *setting_.open_files[region.file];
  if (region.travels || granule_bytes() % staging_.shape().write_block != 0 ||
      (file.o_direct() && !lies_as_in_file(run.data, run.offset, file.block()))) {
    return {};
  }
  const std::int64_t first = region.bytes.begin;
  const ByteRange part{
      first + round_up(run.offset - first, granule_bytes()),
      first + (run.offset + run.num_bytes - first) / granule_bytes() * granule_bytes()};
  const std::int64_t least = std::min(least_straight_bytes, staging_.shape().slot_bytes);
  return part.num_bytes() >= least ? part : ByteRange{};
}

void RegionWriter::place(const Run& run, std::size_t number) {
  const Region& region = setting_.regions[number];
  const int slot = staging_.slot_of(number);
  std::byte* const to = staging_.bytes(slot);
  const ByteRange straight = straight_part(run, region);
  const std::int64_t end = run.offset + run.num_bytes;
  const ByteRange before{run.offset, straight.empty() ? end : straight.begin};
  const ByteRange after{straight.empty() ? end : straight.end, end};
  const bool for_others = region.server != setting_.rank;
  counters_.bytes_exchanged += for_others ? run.num_bytes - straight.num_bytes() : 0;
  hash(run, before, to + (before.begin - region.bytes.begin));
  if (!straight.empty()) {
    std::uint32_t bits = 0;
    for (std::int64_t at = straight.begin; at < straight.end; at += granule_bytes()) {
      bits |= 1U << ((at - region.bytes.begin) / granule_bytes());
    }
    staging_.slot(slot).past.set_bits(bits);
    write_straight(
        region.file,
        {run.data + (straight.begin - run.offset), static_cast<std::size_t>(straight.num_bytes())},
        straight.begin);
    hash(run, straight, nullptr);
    hash(run, after, to + (after.begin - region.bytes.begin));
  }
  if (setting_.messages != nullptr) {
    for (const ByteRange& part : {before, after}) {
      staging_.mark_place(slot, part.begin - region.bytes.begin, part.end - region.bytes.begin);
    }
  }
  if (run.last && !checksums_.empty() && run.transfer < checksums_.size()) {
    checksums_[run.transfer] = unfinished_[run.transfer].digest();
    unfinished_.erase(run.transfer);
  }
}

/// Hashes a part of a run and copies it, if it is to be copied.
void RegionWriter::hash(const Run& run, ByteRange part, std::byte* copy_to) {
  StreamingChecksum* const checksum = !checksums_.empty() && run.transfer < checksums_.size()
                                          ? &unfinished_[run.transfer]
                                          : nullptr;
  if (part.empty() || (checksum == nullptr && copy_to == nullptr)) {
    return;
  }
  work([&] {
    const std::byte* from = run.data + (part.begin - run.offset);
    for (std::int64_t left = part.num_bytes(); left > 0;) {
      const auto length = static_cast<std::size_t>(std::min(left, fill_step_bytes));
      if (checksum != nullptr) {
        checksum->update({from, length});
      }
      if (copy_to != nullptr) {
        std::memcpy(copy_to, from, length);
        copy_to += length;
      }
      from += length;
      left -= static_cast<std::int64_t>(length);
    }
  });
  counters_.bytes_staged += copy_to == nullptr ? 0 : part.num_bytes();
}

template <typename Work>
void RegionWriter::work(const Work& hash_and_copy) {
  const auto start = std::chrono::steady_clock::now();
  double& seconds = output_.in_flight() > 0 ? counters_.overlapped_s : counters_.exposed_s;
  hash_and_copy();
  seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void RegionWriter::write_straight(std::size_t file, std::span<const std::byte> bytes,
                                  std::int64_t offset) {
  ++output_.in_flight();
  straight_->submit([this, file, bytes, offset] {
    if (!staging_.failed()) {
      output_.note(guarded([&] { return output_.write(file, bytes, offset); }));
    }
    --output_.in_flight();
  });
}

/// A thread of this rank: writes regions as they fill up, in order.
Status RegionWriter::serve() {
  for (std::size_t i = next_own_++; i < own_regions_.size(); i = next_own_++) {
    const std::size_t number = own_regions_[i];
    SharedStaging::Slot& slot = staging_.slot(staging_.slot_of(number));
    const std::uint32_t round = staging_.round_of(number);
    const auto all = static_cast<std::uint32_t>(staging_.shape().num_ranks);
    if (!staging_.wait(slot.round, [&](std::uint32_t value) { return value == round; }) ||
        !staging_.wait(slot.filled, [&](std::uint32_t value) { return value == all; })) {
      return {};
    }
    write_region(number);
  }
  return {};
}

void RegionWriter::write_region(std::size_t number) {
  const Region& region = setting_.regions[number];
  const int slot_number = staging_.slot_of(number);
  SharedStaging::Slot& slot = staging_.slot(slot_number);
  const std::byte* const from = staging_.bytes(slot_number);
  const int keeper = setting_.files[region.file].keeper;
  ++output_.in_flight();
  Status status;
  if (region.writer == setting_.rank) {
    for (const ByteRange& range : own_ranges(region, slot.past.load())) {
      if (status) {
        status = output_.write(region.file,
                               {from + (range.begin - region.bytes.begin),
                                static_cast<std::size_t>(range.num_bytes())},
                               range.begin);
      }
    }
  }
  if (status && region.has_kept && keeper == setting_.rank) {
    status = write_kept(region, from);
  }
  --output_.in_flight();
  output_.note(status);
  const std::uint32_t parties = region.has_kept && keeper != region.writer ? 2 : 1;
  if (status && slot.done.add(1) == parties) {
    slot.filled.reset(0);
    slot.done.reset(0);
    slot.past.reset(0);
    slot.round.store(staging_.round_of(number) + 1);
  }
}

/// What the writer of a region writes of it: neither the keeper's blocks nor what others write from
/// their own memory.
std::vector<ByteRange> RegionWriter::own_ranges(const Region& region, std::uint32_t past) const {
  std::vector<ByteRange> others = intersect(setting_.files[region.file].kept, region.bytes);
  for (int g = 0; g < SharedStaging::num_granules; ++g) {
    if ((past >> g & 1U) != 0) {
      const std::int64_t begin = region.bytes.begin + g * granule_bytes();
      others.push_back({begin, begin + granule_bytes()});
    }
  }
  return subtract({&region.bytes, 1}, merged(std::move(others)));
}

Status RegionWriter::write_kept(const Region& region, const std::byte* from) {
  for (const ByteRange& range : intersect(kept_elements_[region.file], region.bytes)) {
    SHARDMARK_RETURN_IF_ERROR(output_.write_kept(
        region.file,
        {from + (range.begin - region.bytes.begin), static_cast<std::size_t>(range.num_bytes())},
        range.begin));
  }
  return {};
}

std::int64_t longest_padding_row(std::span<const RawTransfer<const std::byte>> tiles) {
  std::int64_t longest = 0;
  for (const auto& transfer : padding_of(tiles, nullptr)) {
    const Dims& sizes = transfer.box.sizes;
    longest = std::max(longest, sizes[sizes.ndim() - 1] * element_size(transfer.elements.dtype));
  }
  return longest;
}

std::vector<RawTransfer<const std::byte>> padding_of(
    std::span<const RawTransfer<const std::byte>> tiles, const std::byte* zeros) {
  std::vector<RawTransfer<const std::byte>> padding;
  for (const auto& transfer : tiles) {
    for (int d = 0; d < transfer.box.ndim(); ++d) {
      Box rest = transfer.box;
      for (int inner = d + 1; inner < rest.ndim(); ++inner) {
        rest.sizes[inner] = transfer.piece.sizes[inner];
      }
      rest.offsets[d] += transfer.box.sizes[d];
      rest.sizes[d] = transfer.piece.sizes[d] - transfer.box.sizes[d];
      if (rest.empty()) {
        continue;
      }
      // Every row is the same row.
      Dims strides = Dims::filled(rest.ndim(), 0);
      strides[rest.ndim() - 1] = 1;
      padding.push_back(
          {transfer.piece, rest, {zeros, transfer.elements.dtype, rest.sizes, strides}});
    }
  }
  return padding;
}

}  // namespace shardmark
