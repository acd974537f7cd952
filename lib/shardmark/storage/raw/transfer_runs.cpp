// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/raw/transfer_runs.hpp"

#include <algorithm>
#include <numeric>

#include "shardmark/core/progress.hpp"

namespace shardmark {
namespace {

template <typename Byte>
std::int64_t first_offset(const RawTransfer<Byte>& transfer) {
  const Dims strides = row_major_strides(transfer.piece.sizes);
  std::int64_t element = 0;
  for (int d = 0; d < transfer.box.ndim(); ++d) {
    element += (transfer.box.offsets[d] - transfer.piece.offsets[d]) * strides[d];
  }
  return transfer.piece.address + element * element_size(transfer.elements.dtype);
}

}  // namespace

template <typename Byte>
TransferRuns<Byte>::TransferRuns(std::span<const RawTransfer<Byte>> transfers)
    : transfers_(transfers) {
  std::vector<std::int64_t> first(transfers.size());
  std::transform(transfers.begin(), transfers.end(), first.begin(), first_offset<Byte>);
  order_.resize(transfers.size());
  std::iota(order_.begin(), order_.end(), std::size_t{0});
  std::erase_if(order_, [&](std::size_t i) { return transfers[i].box.empty(); });
  std::sort(order_.begin(), order_.end(), [&](std::size_t a, std::size_t b) {
    return std::pair(transfers[a].piece.file, first[a]) <
           std::pair(transfers[b].piece.file, first[b]);
  });
  admit();
}

template <typename Byte>
std::pair<std::uint64_t, std::int64_t> TransferRuns<Byte>::key(
    std::span<const RawTransfer<Byte>> transfers, const Cursor& cursor) noexcept {
  const RawTransfer<Byte>& transfer = transfers[cursor.transfer];
  return {transfer.piece.file, cursor.base + (cursor.in_file.offset() + cursor.used_in_file) *
                                                 element_size(transfer.elements.dtype)};
}

template <typename Byte>
void TransferRuns<Byte>::admit() {
  const auto heap_order = [this](const Cursor& a, const Cursor& b) { return later(a, b); };
  while (next_ < order_.size()) {
    const RawTransfer<Byte>& transfer = transfers_[order_[next_]];
    const std::int64_t base = first_offset(transfer);
    if (!active_.empty() &&
        key(transfers_, active_.front()) < std::pair(transfer.piece.file, base)) {
      return;
    }
    active_.push_back({order_[next_], base,
                       StridedRuns(transfer.box.sizes, row_major_strides(transfer.piece.sizes)),
                       StridedRuns(transfer.box.sizes, transfer.elements.strides)});
    std::push_heap(active_.begin(), active_.end(), heap_order);
    if (!transfer.fqn.empty()) {
      note_tensor(transfer.fqn);
    }
    ++next_;
  }
}

template <typename Byte>
RawRun<Byte> TransferRuns<Byte>::take(std::int64_t max_bytes) {
  const auto heap_order = [this](const Cursor& a, const Cursor& b) { return later(a, b); };
  // With one transfer at a time, which is the rule, these cost nothing.
  std::pop_heap(active_.begin(), active_.end(), heap_order);
  Cursor& cursor = active_.back();
  const RawTransfer<Byte>& transfer = transfers_[cursor.transfer];
  const std::int64_t itemsize = element_size(transfer.elements.dtype);
  const std::int64_t count = std::min({cursor.in_file.count() - cursor.used_in_file,
                                       cursor.in_memory.count() - cursor.used_in_memory,
                                       std::max<std::int64_t>(1, max_bytes / itemsize)});
  RawRun<Byte> taken{
      cursor.transfer, transfer.piece.file, key(transfers_, cursor).second,
      transfer.elements.data + (cursor.in_memory.offset() + cursor.used_in_memory) * itemsize,
      count * itemsize};
  cursor.used_in_file += count;
  cursor.used_in_memory += count;
  if (cursor.used_in_file == cursor.in_file.count()) {
    cursor.in_file.next();
    cursor.used_in_file = 0;
  }
  if (cursor.used_in_memory == cursor.in_memory.count()) {
    cursor.in_memory.next();
    cursor.used_in_memory = 0;
  }
  taken.last = cursor.in_file.done();
  if (taken.last) {
    active_.pop_back();
  } else {
    std::push_heap(active_.begin(), active_.end(), heap_order);
  }
  admit();
  return taken;
}

template class TransferRuns<std::byte>;
template class TransferRuns<const std::byte>;

}  // namespace shardmark
