// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/exchange/region_fetcher.hpp"

#include <algorithm>
#include <cstring>
#include <thread>
#include <utility>

#include "shardmark/core/guarded_thread.hpp"
#include "shardmark/core/progress.hpp"
#include "shardmark/plan/tables/byte_codec.hpp"

namespace shardmark {
namespace {

constexpr int wish_tag = 0;
constexpr int fetcher_failed_tag = 1;
constexpr int answer_tag = 2;

const Error& lying_message() {
  static const Error error{ErrorCode::internal, "a rank sent what nobody has asked it for"};
  return error;
}

void put_ranges(ByteWriter& out, std::span<const ByteRange> ranges) {
  out.varint(ranges.size());
  std::int64_t at = 0;
  for (const ByteRange& range : ranges) {
    out.count(range.begin - at);
    out.count(range.num_bytes());
    at = range.end;
  }
}

/// Whole blocks within the slot, or the reader fails.
std::vector<ByteRange> take_blocks(ByteReader& in, std::int64_t slot_bytes) {
  std::vector<ByteRange> ranges(in.length(2));
  std::int64_t at = 0;
  for (ByteRange& range : ranges) {
    range.begin = at + in.count(slot_bytes - at);
    range.end = range.begin + in.count(slot_bytes - range.begin);
    at = range.end;
    if (range.begin % SharedStaging::block_bytes != 0 ||
        range.end % SharedStaging::block_bytes != 0) {
      in.fail("no whole blocks");
    }
  }
  return ranges;
}

std::span<const std::byte> bytes_of(const std::byte* slot, const ByteRange& range) {
  return {slot + range.begin, static_cast<std::size_t>(range.num_bytes())};
}

}  // namespace

RegionFetcher::RegionFetcher(const SharedStaging& staging, const Setting& setting,
                             MessageBox& messages, RegionInput& input)
    : staging_(staging), setting_(setting), messages_(messages), input_(input) {
  for (std::size_t k = 0; k < setting_.regions.size(); ++k) {
    if (setting_.regions[k].server == setting_.node_rank) {
      served_.push_back(k);
    }
  }
}

void RegionFetcher::run() {
  input_.note(guarded([&] {
    finished_.reserve(served_.size());
    io_ = std::make_unique<IoThreads>(setting_.threads);
    return work();
  }));
  io_.reset();  // when all of its reads are done
  part(messages_, !input_.status(), fetcher_failed_tag);
}

/// Until nobody waits for this rank, or a rank has failed.
Status RegionFetcher::work() {
  Status status;
  while (status && !staging_.failed()) {
    const bool served = serve_next(status);
    const bool received = status && receive(status);
    const bool answered = answer_finished();
    if (num_ready_ == served_.size() && messages_.pending_bytes() == 0) {
      break;
    }
    if (!served && !received && !answered) {
      const ScopedWait wait;
      std::this_thread::sleep_for(MessageBox::nap);
    }
  }
  return status;
}

/// The next region that this rank serves, if its node has said what it wants and, where this rank
/// reads it, all others have. In ascending order, so that the lowest never waits for a higher one.
bool RegionFetcher::serve_next(Status& status) {
  if (next_served_ == served_.size() || messages_.pending_bytes() > setting_.most_bytes) {
    return false;
  }
  const std::size_t number = served_[next_served_];
  const ReadRegion& region = setting_.regions[number];
  const SharedStaging::Slot& slot = staging_.slot(staging_.slot_of(number));
  if (slot.round.load() != staging_.round_of(number) ||
      slot.filled.load() != static_cast<std::uint32_t>(staging_.shape().num_ranks)) {
    return false;
  }
  if (region.reader != messages_.rank()) {
    ++next_served_;
    ask(number);
    return true;
  }
  const auto others = static_cast<std::size_t>(region.nodes - (region.here ? 1 : 0));
  if (wishes_[number].of.size() < others) {
    return false;
  }
  if (wishes_[number].of.size() > others) {
    status = lying_message();
    return false;
  }
  ++next_served_;
  read(number);
  return true;
}

/// Asks the region's reader for what this node wants.
void RegionFetcher::ask(std::size_t number) {
  const int slot_number = staging_.slot_of(number);
  std::int64_t none = 0;
  std::vector<ByteRange> wanted = marked_stretches(staging_.wanted(slot_number), 0, none);
  ByteWriter out;
  out.varint(setting_.regions[number].number);
  out.count(staging_.slot(slot_number).wanted_bytes.load());
  put_ranges(out, wanted);
  asked_[number] = std::move(wanted);
  ++messages_sent_;
  messages_.post(setting_.regions[number].reader, wish_tag, std::move(out).take());
}

/// Reads what all nodes want of a region into this node's slot.
void RegionFetcher::read(std::size_t number) {
  constexpr std::int64_t block = SharedStaging::block_bytes;
  const int slot_number = staging_.slot_of(number);
  const Wishes& wishes = wishes_[number];
  for (const Wish& wish : wishes.of) {
    for (const ByteRange& range : wish.ranges) {
      mark_blocks(staging_.wanted(slot_number), range.begin / block, range.end / block);
    }
  }
  staging_.slot(slot_number).wanted_bytes.fetch_add(wishes.num_bytes);
  ++input_.in_flight();
  io_->submit([this, number] {
    if (!staging_.failed()) {
      input_.note(guarded([&] { return input_.read(number); }));
    }
    --input_.in_flight();
    const std::lock_guard lock(mutex_);
    finished_.push_back(number);
  });
}

/// Sends what has been read to those that have asked for it, before the slot is used again.
bool RegionFetcher::answer_finished() {
  std::vector<std::size_t> finished;
  {
    const std::lock_guard lock(mutex_);
    finished = finished_;
    finished_.clear();  // and keeps its room
  }
  for (const std::size_t number : finished) {
    if (staging_.failed()) {
      return true;
    }
    const std::byte* const slot = staging_.bytes(staging_.slot_of(number));
    for (const Wish& wish : wishes_[number].of) {
      ByteWriter out;
      out.reserve(static_cast<std::size_t>(num_bytes(wish.ranges)) + 24 + 6 * wish.ranges.size());
      out.varint(setting_.regions[number].number);
      put_ranges(out, wish.ranges);
      for (const ByteRange& range : wish.ranges) {
        out.raw(bytes_of(slot, range));
      }
      ++messages_sent_;
      messages_.post(wish.from, answer_tag, std::move(out).take());
    }
    wishes_.erase(number);
    make_ready(number);
  }
  return !finished.empty();
}

void RegionFetcher::make_ready(std::size_t number) {
  ++num_ready_;
  staging_.slot(staging_.slot_of(number)).ready.store(staging_.round_of(number) + 1);
}

bool RegionFetcher::receive(Status& status) {
  bool any = false;
  while (status) {
    const auto message = messages_.take_any();
    if (!message) {
      return any;
    }
    any = true;
    if (message->tag == fetcher_failed_tag) {
      staging_.fail();  // whoever failed tells why when all agree
      return true;
    }
    status = message->tag == wish_tag ? take_wish(message->from, message->bytes)
                                      : take_answer(message->bytes);
  }
  return any;
}

/// Among this node's regions.
std::optional<std::size_t> RegionFetcher::place_of(std::uint64_t number) const {
  const auto place = std::ranges::lower_bound(setting_.regions, number, {}, &ReadRegion::number);
  if (place == setting_.regions.end() || place->number != number) {
    return std::nullopt;
  }
  return static_cast<std::size_t>(place - setting_.regions.begin());
}

Status RegionFetcher::take_wish(int from, std::span<const std::byte> message) {
  ByteReader in(message);
  const std::optional<std::size_t> number = place_of(in.varint());
  const std::int64_t wanted_bytes = in.count(staging_.shape().slot_bytes * messages_.size());
  std::vector<ByteRange> ranges = take_blocks(in, staging_.shape().slot_bytes);
  const auto end = served_.begin() + static_cast<std::ptrdiff_t>(next_served_);
  if (!in.ok() || !in.at_end() || !number || setting_.regions[*number].reader != messages_.rank() ||
      std::binary_search(served_.begin(), end, *number)) {
    return lying_message();
  }
  Wishes& wishes = wishes_[*number];
  wishes.of.push_back({from, std::move(ranges)});
  wishes.num_bytes += wanted_bytes;
  return {};
}

Status RegionFetcher::take_answer(std::span<const std::byte> message) {
  constexpr std::int64_t block = SharedStaging::block_bytes;
  ByteReader in(message);
  const std::size_t number = place_of(in.varint()).value_or(setting_.regions.size());
  const std::vector<ByteRange> ranges = take_blocks(in, staging_.shape().slot_bytes);
  const auto asked = asked_.find(number);
  if (!in.ok() || asked == asked_.end() || asked->second != ranges ||
      static_cast<std::size_t>(num_bytes(ranges)) != message.size() - in.position()) {
    return lying_message();
  }
  asked_.erase(asked);
  const int slot_number = staging_.slot_of(number);
  const std::byte* from = message.data() + in.position();
  for (const ByteRange& range : ranges) {
    const auto length = static_cast<std::size_t>(range.num_bytes());
    std::memcpy(staging_.bytes(slot_number) + range.begin, from, length);
    mark_blocks(staging_.read(slot_number), range.begin / block, range.end / block);
    from += length;
  }
  make_ready(number);
  return {};
}

}  // namespace shardmark
