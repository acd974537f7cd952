// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/exchange/virtual_exchange.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "shardmark/storage/exchange/node_share.hpp"

namespace shardmark {
namespace {

using Run = RawRun<const std::byte>;

/// What a node has of each region, in the order in which it walks them.
class NodeBytes {
 public:
  NodeBytes(std::span<const ExchangedFile> files,
            std::span<const RawTransfer<const std::byte>> transfers)
      : files_(files), runs_(transfers) {}

  std::vector<ByteRange> take(const Region& region) {
    std::vector<ByteRange> placed;
    const std::uint64_t file = files_[region.file].file;
    while (pending_ || !runs_.done()) {
      if (!pending_) {
        pending_ = runs_.take(INT64_MAX);
      }
      if (std::pair(pending_->file, pending_->offset) >= std::pair(file, region.bytes.end)) {
        break;
      }
      const std::int64_t end = pending_->offset + pending_->num_bytes;
      placed.push_back({pending_->offset, std::min(end, region.bytes.end)});
      if (end <= region.bytes.end) {
        pending_.reset();
      } else {
        pending_->num_bytes = end - region.bytes.end;
        pending_->offset = region.bytes.end;
      }
    }
    return merged(std::move(placed));
  }

 private:
  std::span<const ExchangedFile> files_;
  TransferRuns<const std::byte> runs_;
  std::optional<Run> pending_;
};

}  // namespace

std::vector<ExchangeTraffic> count_traffic(
    const VirtualExchange& exchange,
    const std::function<std::vector<RawTransfer<const std::byte>>(int rank)>& transfers_of) {
  std::map<int, std::vector<int>> nodes;
  for (std::size_t r = 0; r < exchange.dealing.node_of_rank.size(); ++r) {
    nodes[exchange.dealing.node_of_rank[r]].push_back(static_cast<int>(r));
  }
  std::vector<ExchangeTraffic> traffic(exchange.dealing.node_of_rank.size());
  for (const auto& [node, ranks] : nodes) {
    std::vector<RawTransfer<const std::byte>> transfers;
    for (const int rank : ranks) {
      const auto own = transfers_of(rank);
      transfers.insert(transfers.end(), own.begin(), own.end());
    }
    const NodeShare share = share_of_node(exchange.files, exchange.striping, exchange.region_bytes,
                                          exchange.dealing, ranks.front());
    NodeBytes bytes(share.files, transfers);
    for (const Region& region : share.regions) {
      const ExchangedFile& file = share.files[region.file];
      const DealtBytes dealt = deal_bytes(file, region, bytes.take(region), {},
                                          exchange.least_own_bytes, exchange.write_block);
      const int server = ranks[static_cast<std::size_t>(region.server)];
      ExchangeTraffic& sent = traffic[static_cast<std::size_t>(server)];
      if (server != region.writer && (dealt.own_bytes > 0 || !dealt.to_writer.empty())) {
        ++sent.messages;
        sent.num_bytes += num_bytes(dealt.to_writer);
      }
      if (server != file.keeper && !dealt.to_keeper.empty()) {
        ++sent.messages;
        sent.num_bytes += num_bytes(dealt.to_keeper);
      }
    }
  }
  return traffic;
}

}  // namespace shardmark
