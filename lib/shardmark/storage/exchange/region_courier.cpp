// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/exchange/region_courier.hpp"

#include <algorithm>
#include <thread>
#include <utility>

#include "shardmark/core/guarded_thread.hpp"
#include "shardmark/core/progress.hpp"

namespace shardmark {
namespace {

// Messages that only count, messages with bytes by region, and the word that somebody has failed.
constexpr int counts_tag = 0;
constexpr int courier_failed_tag = 1;
constexpr int first_pieces_tag = 2;
constexpr std::size_t piece_tags = MessageBox::max_tag - first_pieces_tag + 1;
// Regions ahead of the lowest that others may send bytes of.
constexpr std::size_t receive_window = 16;

int pieces_tag(const Region& region) {
  return first_pieces_tag + static_cast<int>(region.number % piece_tags);
}

std::int64_t granule_bytes(const SharedStaging& staging) {
  return staging.shape().slot_bytes / SharedStaging::num_granules;
}

}  // namespace

RegionCourier::RegionCourier(const SharedStaging& staging, const Setting& setting,
                             MessageBox& messages, RegionOutput& output)
    : staging_(staging),
      setting_(setting),
      messages_(messages),
      output_(output),
      arrivals_({setting.files, setting.regions, messages.rank(), staging.shape().slot_bytes,
                 staging.shape().write_block,
                 static_cast<std::size_t>(
                     std::max<std::int64_t>(2, setting.most_bytes / staging.shape().slot_bytes))}) {
  for (std::size_t k = 0; k < setting_.regions.size(); ++k) {
    if (setting_.regions[k].server == setting_.node_rank) {
      served_.push_back(k);
    }
  }
}

void RegionCourier::run() {
  output_.note(guarded([&] {
    io_ = std::make_unique<IoThreads>(setting_.threads);
    return work();
  }));
  io_.reset();  // when all of its writes are done
  part(messages_, !output_.status(), courier_failed_tag);
}

/// Until nobody waits for this rank, or a rank has failed.
Status RegionCourier::work() {
  Status status = arrivals_.begin();
  write_complete();
  while (status && !staging_.failed()) {
    const bool served = serve_next(status);
    const bool received = status && receive(status);
    write_complete();
    if (!filling_ && next_served_ == served_.size() && arrivals_.all_complete() &&
        messages_.pending_bytes() == 0) {
      break;
    }
    if (!served && !received) {
      const ScopedWait wait;
      std::this_thread::sleep_for(MessageBox::nap);
    }
  }
  return status;
}

/// The next region that this rank serves, if its node has filled it and there is room for what it
/// gives. In ascending order, so that the lowest incomplete region never waits for a higher one.
bool RegionCourier::serve_next(Status& status) {
  if (next_served_ == served_.size() || messages_.pending_bytes() > setting_.most_bytes) {
    return false;
  }
  const std::size_t number = served_[next_served_];
  const SharedStaging::Slot& slot = staging_.slot(staging_.slot_of(number));
  const Region& region = setting_.regions[number];
  const int keeper = setting_.files[region.file].keeper;
  const bool mine =
      region.writer == messages_.rank() || (region.has_kept && keeper == messages_.rank());
  if (slot.round.load() != staging_.round_of(number) ||
      slot.filled.load() != static_cast<std::uint32_t>(staging_.shape().num_ranks) ||
      (mine && !arrivals_.is_open_for(number))) {
    return false;
  }
  ++next_served_;
  status = deal(number);
  return true;
}

Status RegionCourier::deal(std::size_t number) {
  const Region& region = setting_.regions[number];
  const ExchangedFile& file = setting_.files[region.file];
  const int slot_number = staging_.slot_of(number);
  std::vector<ByteRange> placed = staging_.put_ranges(slot_number);
  for (ByteRange& range : placed) {
    range = {range.begin + region.bytes.begin, range.end + region.bytes.begin};
  }
  const std::uint32_t past = staging_.slot(slot_number).past.load();
  std::vector<ByteRange> straight;
  for (int g = 0; g < SharedStaging::num_granules; ++g) {
    if ((past >> g & 1U) != 0) {
      const std::int64_t begin = region.bytes.begin + g * granule_bytes(staging_);
      straight.push_back({begin, begin + granule_bytes(staging_)});
    }
  }
  straight = merged(std::move(straight));
  DealtBytes dealt = deal_bytes(file, region, placed, straight, setting_.least_own_bytes,
                                staging_.shape().write_block);
  const std::byte* const bytes = staging_.bytes(slot_number);
  SHARDMARK_RETURN_IF_ERROR(
      deliver(number, region.writer, {number, dealt.own_bytes, std::move(dealt.to_writer)}, bytes));
  if (!dealt.to_keeper.empty()) {
    SHARDMARK_RETURN_IF_ERROR(
        deliver(number, file.keeper, {number, 0, std::move(dealt.to_keeper)}, bytes));
  }
  write_own(number, std::move(dealt.own));
  return {};
}

Status RegionCourier::deliver(std::size_t number, int to, const RegionPieces& pieces,
                              const std::byte* bytes) {
  if (pieces.ranges.empty() && pieces.own_bytes == 0) {
    return {};
  }
  if (to == messages_.rank()) {
    return arrivals_.add(pieces, bytes);
  }
  std::vector<std::byte> message = encode(pieces, setting_.regions[number], bytes);
  ++messages_sent_;
  bytes_sent_ += num_bytes(pieces.ranges);
  messages_.post(to, pieces.ranges.empty() ? counts_tag : pieces_tag(setting_.regions[number]),
                 std::move(message));
  return {};
}

/// The slot is free when all of it is written.
void RegionCourier::write_own(std::size_t number, std::vector<ByteRange> own) {
  const Region& region = setting_.regions[number];
  if (own.empty()) {
    release(number);
    return;
  }
  ++output_.in_flight();
  io_->submit([this, number, &region, own = std::move(own)] {
    const std::byte* const bytes = staging_.bytes(staging_.slot_of(number));
    for (const ByteRange& range : own) {
      if (!staging_.failed()) {
        const std::span of_range(bytes + (range.begin - region.bytes.begin),
                                 static_cast<std::size_t>(range.num_bytes()));
        output_.note(guarded([&] { return output_.write(region.file, of_range, range.begin); }));
      }
    }
    --output_.in_flight();
    release(number);
  });
}

void RegionCourier::release(std::size_t number) {
  const int slot_number = staging_.slot_of(number);
  SharedStaging::Slot& slot = staging_.slot(slot_number);
  staging_.forget_places(slot_number);
  slot.filled.reset(0);
  slot.past.reset(0);
  slot.round.store(staging_.round_of(number) + 1);
}

bool RegionCourier::receive(Status& status) {
  bool any = false;
  while (status) {
    const std::optional<int> tag = messages_.waiting();
    if (!tag) {
      return any;
    }
    if (*tag == courier_failed_tag) {
      messages_.take(courier_failed_tag);
      staging_.fail();  // whoever failed tells why when all agree
      return true;
    }
    const bool taken = *tag == counts_tag ? take(counts_tag, status) : take_pieces(*tag, status);
    any = any || taken;
    if (!taken) {
      return any;
    }
  }
  return any;
}

/// Pieces of a region that is open for them, of those that have come with `tag` if it is one.
bool RegionCourier::take_pieces(int tag, Status& status) {
  const std::vector<std::size_t> open = arrivals_.open_for(receive_window);
  const bool is_open = std::any_of(open.begin(), open.end(), [&](std::size_t region) {
    return pieces_tag(setting_.regions[region]) == tag;
  });
  if (is_open) {
    return take(tag, status);
  }
  // What nothing may wait for can have come behind it.
  if (messages_.take(courier_failed_tag)) {
    staging_.fail();
    return true;
  }
  if (take(counts_tag, status)) {
    return true;
  }
  return std::any_of(open.begin(), open.end(), [&](std::size_t region) {
    return take(pieces_tag(setting_.regions[region]), status);
  });
}

bool RegionCourier::take(int tag, Status& status) {
  const auto message = messages_.take(tag);
  if (message) {
    status = arrivals_.add(message->bytes);
  }
  return message.has_value();
}

void RegionCourier::write_complete() {
  for (Arrivals::Complete& complete : arrivals_.take_complete()) {
    if (complete.bytes == nullptr) {
      continue;
    }
    ++output_.in_flight();
    io_->submit([this, complete = std::move(complete)] {
      const Region& region = setting_.regions[complete.region];
      const auto bytes_of = [&](const ByteRange& range) {
        return std::span<const std::byte>(complete.bytes + (range.begin - region.bytes.begin),
                                          static_cast<std::size_t>(range.num_bytes()));
      };
      for (const ByteRange& range : complete.blocks) {
        if (!staging_.failed()) {
          output_.note(
              guarded([&] { return output_.write(region.file, bytes_of(range), range.begin); }));
        }
      }
      for (const ByteRange& range : complete.kept) {
        if (!staging_.failed()) {
          output_.note(guarded(
              [&] { return output_.write_kept(region.file, bytes_of(range), range.begin); }));
        }
      }
      arrivals_.give_back(complete);
      --output_.in_flight();
    });
  }
}

}  // namespace shardmark
