// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/direct/save_exchange.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "shardmark/mpi/node_group.hpp"
#include "shardmark/plan/tables/byte_codec.hpp"
#include "shardmark/storage/direct/file_survey.hpp"
#include "shardmark/storage/exchange/node_share.hpp"
#include "shardmark/storage/exchange/striped_regions.hpp"
#include "shardmark/storage/posix/file.hpp"
#include "shardmark/storage/posix/file_stripes.hpp"
#include "shardmark/storage/posix/notices.hpp"

namespace shardmark {
namespace {

// Of the elements, what must lie in files that ranks share.
constexpr std::int64_t min_shared_share = 8;
// Of the elements, what must lie in short rows for nodes to send each other more than edges.
constexpr std::int64_t min_short_share = 8;
// Rows from here on are worth a request of their own.
constexpr std::int64_t long_row_bytes = std::int64_t{1} << 20;
// Where chunks are whole rows of at least this on average, in files that hold a rank's chunks end
// to end, there is hardly a block to put together. Measured on a local disk at 225 KiB: groups:2 is
// 1.3 times as slow with the exchange.
constexpr std::int64_t large_chunk_bytes = std::int64_t{64} << 10;
constexpr int default_writers_a_node = 4;
// A region may travel in one message, whose bytes MPI counts in an int.
constexpr std::int64_t most_region_bytes = std::int64_t{256} << 20;

bool known_coherent(const StorageOptions& options) {
  return options.coherence == Coherence::yes ||
         (options.coherence == Coherence::automatic && options.traits.coherent == Known::yes);
}

/// Two clients of the file system may not be at one block together.
bool must_stay_apart(const PlacedFiles& placed, const StorageOptions& options) {
  return placed.clients.several() && !known_coherent(options);
}

Status refuse_off(const PlacedFiles& placed, const StorageOptions& options) {
  // With a file a rank, rank 0 writes what lies in the entry file.
  if (!must_stay_apart(placed, options) || placed.blocks_apart ||
      placed.layout == FileLayout::per_rank) {
    return {};
  }
  return Error{
      ErrorCode::invalid_argument,
      fmt::format("storage.exchange = \"off\": ranks of {} clients of the file system would "
                  "write parts of the same blocks of {}, and it is not known to keep both: "
                  "bytes may be lost; expected \"auto\", \"edges\", \"node\" or \"world\", "
                  "or storage.coherent = \"yes\"",
                  placed.clients.count, placed.paths.front())};
}

/// Large chunks, and hardly two ranks' in one block.
bool chunks_stand_alone(const PlacedFiles& placed, const Manifest& manifest,
                        std::int64_t num_bytes) {
  if (placed.layout != FileLayout::groups && placed.layout != FileLayout::per_node) {
    return false;
  }
  std::int64_t num_chunks = 0;
  for (const Entry& entry : manifest.entries.entries) {
    num_chunks += static_cast<std::int64_t>(entry.num_chunks);
  }
  return num_chunks * large_chunk_bytes <= num_bytes;
}

/// What rank 0 decides for all.
struct Decision {
  ExchangeLevel level = ExchangeLevel::off;
  std::string why;
  std::vector<ExchangedFile> files;
};

/// Local. Of the entry file, and so of all files of the save, which are made in one folder.
Striping striping_of_files(const PlacedFiles& placed) {
  auto striping = striping_of(placed.paths.front());
  if (!striping) {
    add_notice(fmt::format("files count as not striped: {}", striping.error().message));
    return {};
  }
  return std::move(*striping);
}

Decision decide(const SaveTarget& target, const PlacedFiles& placed, const StorageOptions& options,
                bool one_node, std::vector<ExchangedFile> files) {
  std::int64_t total = 0;
  for (const Entry& entry : target.entries->entries) {
    total += entry.num_bytes();
  }
  std::int64_t shared = 0;
  for (const ExchangedFile& file : files) {
    shared += element_bytes(file);
  }
  const bool automatic = options.exchange == ExchangeLevel::automatic;
  if (shared == 0 ||
      (automatic && shared * min_shared_share < total && !must_stay_apart(placed, options))) {
    return {ExchangeLevel::off, "each file has one writer", {}};
  }
  if (!automatic) {
    const bool alone = one_node && options.exchange == ExchangeLevel::world;
    return {alone ? ExchangeLevel::node : options.exchange,
            alone ? "as asked, and all ranks are on one node" : "as asked", std::move(files)};
  }
  if (one_node && !must_stay_apart(placed, options) &&
      chunks_stand_alone(placed, *target.manifest, shared)) {
    return {ExchangeLevel::off, "chunks are large, and hardly two ranks' lie in one block", {}};
  }
  if (one_node) {
    return {ExchangeLevel::node, "all ranks are on one node", std::move(files)};
  }
  const std::int64_t in_short_rows = bytes_in_short_rows(*target.manifest, long_row_bytes);
  if (in_short_rows * min_short_share >= shared) {
    return {ExchangeLevel::world,
            fmt::format("{} of {} bytes lie in rows below 1 MiB", in_short_rows, shared),
            std::move(files)};
  }
  return {ExchangeLevel::edges, "pieces are large, and ranks are on several nodes",
          std::move(files)};
}

std::int64_t file_bytes(std::span<const ExchangedFile> files) {
  std::int64_t total = 0;
  for (const ExchangedFile& file : files) {
    total += file.num_bytes;
  }
  return total;
}

/// Ranks of the node that has least of them, and most.
std::pair<int, int> ranks_a_node(const NodeGroup& group) {
  std::vector<int> count(static_cast<std::size_t>(group.num_nodes()), 0);
  for (const int node : group.node_of_rank()) {
    ++count[static_cast<std::size_t>(node)];
  }
  const auto [least, most] = std::minmax_element(count.begin(), count.end());
  return {*least, *most};
}

}  // namespace

Result<SaveExchange> SaveExchange::arrange(const SaveTarget& target, const PlacedFiles& placed,
                                           const StorageOptions& options,
                                           const Communicator& comm) {
  SaveExchange exchange(comm);
  exchange.needed_ = must_stay_apart(placed, options);
  if (options.exchange == ExchangeLevel::off || comm.size() == 1) {
    SHARDMARK_RETURN_IF_ERROR(refuse_off(placed, options));
    exchange.why_ = comm.size() == 1 ? "there is one rank" : "as asked";
    return exchange;
  }
  const bool one_node = on_one_node(comm);
  exchange.block_bytes_ = placed.clients.block_bytes;
  auto files = survey_files(placed, *target.manifest, comm);
  SHARDMARK_RETURN_IF_ERROR(files);
  std::vector<std::byte> bytes;
  if (comm.is_root()) {
    Decision decision = decide(target, placed, options, one_node, std::move(*files));
    ByteWriter out;
    out.varint(static_cast<std::uint64_t>(decision.level));
    out.text(decision.why);
    put_striping(out, striping_of_files(placed));
    out.raw(encode(decision.files));
    bytes = std::move(out).take();
  }
  comm.broadcast(bytes);
  ByteReader in(bytes);
  exchange.level_ = static_cast<ExchangeLevel>(in.count(4));
  exchange.why_ = in.text();
  exchange.striping_ = take_striping(in);
  auto decoded =
      decode_exchanged_files(std::span(bytes).subspan(in.ok() ? in.position() : 0), comm.size());
  SHARDMARK_RETURN_IF_ERROR(comm.agree(Status(decoded)));
  if (exchange.level_ == ExchangeLevel::off) {
    return exchange;
  }
  if (exchange.level_ == ExchangeLevel::node && one_node) {
    exchange.files_ = *decoded;
    const Status shared = exchange.share_one_node(options);
    if (shared) {
      return exchange;
    }
    exchange.level_ = ExchangeLevel::edges;
    exchange.why_ = shared.error().message;
  }
  auto messages = MpiMessageBox::make(comm);
  if (!messages && options.exchange == ExchangeLevel::automatic && !exchange.needed_) {
    exchange.give_up(messages.error().message);
    return exchange;
  }
  if (!messages) {
    return Error{messages.error().code,
                 fmt::format("storage.exchange = \"{}\": {}{}",
                             exchange_level_name(options.exchange), messages.error().message,
                             exchange.needed_ ? "" : ", or storage.exchange = \"off\"")};
  }
  exchange.messages_ = std::move(*messages);
  Status shared = exchange.share_by_node(*decoded, placed, options);
  if (!shared && exchange.level_ != ExchangeLevel::edges) {
    exchange.level_ = ExchangeLevel::edges;
    exchange.why_ = shared.error().message;
    shared = exchange.share_by_node(*decoded, placed, options);
  }
  SHARDMARK_RETURN_IF_ERROR(shared);
  return exchange;
}

/// Bytes of a region where `staging_bytes` (0: as many as it likes) hold several of them.
std::int64_t SaveExchange::slot_bytes_for(std::span<const ExchangedFile> files,
                                          std::int64_t staging_bytes, int num_writers) const {
  std::int64_t longest = 0;
  for (const ExchangedFile& file : files) {
    longest = std::max(longest, file.num_bytes);
  }
  const StripeComponent stripes = striping_.main_component(longest);
  const std::int64_t most =
      SharedStaging::shape_for(comm_->size(), file_bytes(files), staging_bytes,
                               std::min(region_bytes_for(stripes.stripe_bytes), most_region_bytes))
          .slot_bytes;
  return striped_region_bytes(stripes, most, num_writers);
}

/// Collective; the same status on every rank. One staging for all.
Status SaveExchange::share_one_node(const StorageOptions& options) {
  shape_ = SharedStaging::shape_for(comm_->size(), file_bytes(files_), options.exchange_bytes,
                                    slot_bytes_for(files_, options.exchange_bytes, comm_->size()));
  regions_ = cut_into_regions(files_, shape_.slot_bytes, comm_->size());
  deal_by_objects(regions_, striping_, comm_->size());
  staging_rank_ = comm_->rank();
  return share_memory(*comm_);
}

/// Collective; the same status on every rank. A staging for each node, or for each rank, and
/// messages between them. `files`: of the whole save.
Status SaveExchange::share_by_node(std::span<const ExchangedFile> files, const PlacedFiles& placed,
                                   const StorageOptions& options) {
  auto nodes = NodeGroup::discover(*comm_);
  SHARDMARK_RETURN_IF_ERROR(nodes);
  const auto [least, most] = ranks_a_node(*nodes);
  const bool by_rank = level_ == ExchangeLevel::edges;
  const std::int64_t node_bytes =
      options.exchange_bytes > 0 ? options.exchange_bytes : SharedStaging::default_bytes(least);
  // One half is staging, the other messages under way and regions that are put together.
  const std::int64_t staging_bytes = node_bytes / 2 / (by_rank ? most : 1);
  most_bytes_ = node_bytes / 4 / most;
  const int world_writers = options.aggregators > 0 ? options.aggregators : default_writers_a_node;
  const bool world = level_ == ExchangeLevel::world;
  const std::int64_t slot =
      slot_bytes_for(files, staging_bytes,
                     world ? nodes->num_nodes() * std::min(world_writers, most) : comm_->size());
  std::optional<NodeGroup> group;
  if (by_rank) {
    auto each = NodeGroup::each_rank(*comm_);
    SHARDMARK_RETURN_IF_ERROR(each);
    group.emplace(std::move(*each));
  } else {
    group.emplace(std::move(*nodes));
  }
  shape_ = SharedStaging::shape_of_slots(group->node().size(), slot, staging_bytes);
  std::vector<std::int64_t> file_of_rank(static_cast<std::size_t>(comm_->size()), 0);
  file_of_rank[static_cast<std::size_t>(comm_->rank())] =
      static_cast<std::int64_t>(placed.own_file);
  comm_->all_reduce(file_of_rank, MPI_MAX);
  NodeShare share = share_of_node(
      files, striping_, slot,
      {group->node_of_rank(), file_of_rank, world ? world_writers : 0, world}, comm_->rank());
  files_ = std::move(share.files);
  regions_ = std::move(share.regions);
  least_own_bytes_ = world ? long_row_bytes : block_bytes_;
  staging_rank_ = group->node().rank();
  return comm_->agree(share_memory(group->node()));
}

/// Collective over `sharers`; the same status on all of them.
Status SaveExchange::share_memory(const Communicator& sharers) {
  SharedStaging::limit_slots(shape_, regions_.size());
  shape_.write_block = block_bytes_;
  memory_.reset();
  auto memory = SharedMemory::make(sharers, SharedStaging::num_bytes(shape_));
  SHARDMARK_RETURN_IF_ERROR(memory);
  memory_.emplace(std::move(*memory));
  if (sharers.is_root()) {
    SharedStaging::prepare(memory_->bytes(), shape_);
  }
  return {};
}

bool SaveExchange::has(std::uint64_t file) const noexcept {
  return std::any_of(files_.begin(), files_.end(),
                     [&](const ExchangedFile& exchanged) { return exchanged.file == file; });
}

Status SaveExchange::write(std::span<const RawTransfer<const std::byte>> transfers,
                           std::span<const RawTransfer<const std::byte>> tiles,
                           const std::map<std::uint64_t, RawFile>& open,
                           std::span<std::uint64_t> checksums, int threads, WriteCounters& counters,
                           PhaseClock& clock) {
  std::vector<const RawFile*> files;
  for (const ExchangedFile& file : files_) {
    files.push_back(&open.at(file.file));
  }
  const std::vector<std::byte> zeros(static_cast<std::size_t>(longest_padding_row(tiles)));
  std::vector<RawTransfer<const std::byte>> all(transfers.begin(), transfers.end());
  for (const auto& transfer : transfers) {
    counters.bytes_written += transfer.elements.num_bytes();  // whoever asks the file for them
  }
  const auto padding = padding_of(tiles, zeros.data());
  all.insert(all.end(), padding.begin(), padding.end());
  RegionWriter writer(SharedStaging(memory_->bytes(), shape_),
                      {files_, files, regions_, staging_rank_, threads, messages_.get(),
                       least_own_bytes_, most_bytes_},
                      counters, &clock);
  Status written = writer.write(all, checksums);
  edges_ = writer.take_edges();
  clock.enter(Phase::write);
  return written;
}

Status write_checksums_on_root(const PlacedFiles& placed, std::span<const WriteTask> tasks,
                               std::span<const std::uint64_t> checksums, std::uint64_t num_chunks,
                               const Communicator& comm, WriteCounters& counters) {
  constexpr int tag = 14;
  if (placed.checksums_address < 0) {
    return {};
  }
  ByteWriter own;
  std::uint64_t next = 0;
  for (std::size_t i = 0; i < checksums.size(); ++i) {
    // Chunks ascend within a rank's plan: steps are small.
    own.varint(tasks[i].write->chunk - next);
    own.fixed64(checksums[i]);
    next = tasks[i].write->chunk + 1;
  }
  if (!comm.is_root()) {
    comm.send(own.bytes(), 0, tag);
    ++counters.messages;
    return {};
  }
  std::vector<std::uint64_t> all(num_chunks, 0);
  Status status;
  const auto take = [&](std::span<const std::byte> bytes) {
    ByteReader in(bytes);
    std::uint64_t chunk = 0;
    while (in.ok() && !in.at_end()) {
      chunk += in.varint();
      const std::uint64_t checksum = in.fixed64();
      if (!in.ok() || chunk >= num_chunks) {
        status =
            Error{ErrorCode::internal, "a rank sent the checksum of a chunk that is not there"};
        return;
      }
      all[chunk++] = checksum;
    }
  };
  take(own.bytes());
  for (int rank = 1; rank < comm.size(); ++rank) {
    take(comm.recv(rank, tag));
  }
  SHARDMARK_RETURN_IF_ERROR(status);
  ++counters.write_requests;
  counters.bytes_written += static_cast<std::int64_t>(8 * num_chunks);
  const std::string& path = placed.paths.front();
  SHARDMARK_ASSIGN_OR_RETURN(const FileDescriptor file, open_file(path, O_WRONLY));
  return write_at(file, path, std::as_bytes(std::span(all)), placed.checksums_address);
}

}  // namespace shardmark
