// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/direct/load_exchange.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "shardmark/storage/raw/transfer_runs.hpp"

namespace shardmark {
namespace {

// Several of them keep all ranks reading even where a load is short.
constexpr std::int64_t read_region_bytes = std::int64_t{8} << 20;
// Of what is wanted, the part that several ranks want: below it the copies cost more than the
// requests they save, unless these are small.
constexpr std::int64_t min_common_share = 8;
// Mean of what lies end to end below which ranks read together what each wants for itself. Measured
// on a local disk, past the cache: 1.6 times as fast at 16 KiB, 1.1 at 300 KiB, the same at 7 MiB;
// into small pages the same at 16 KiB, and slower from there on.
constexpr std::int64_t small_piece_bytes = std::int64_t{512} << 10;
constexpr std::int64_t small_piece_bytes_small_pages = std::int64_t{16} << 10;
// Of what is wanted, the part from which the rows of others are not read for nothing.
constexpr std::int64_t min_between_share = 20;
// Fewer a rank are soon read, whatever their size.
constexpr std::int64_t few_pieces = 4;

std::int64_t bytes_of(const ReadTask& task) {
  return task.elements.num_bytes();
}

std::vector<RawTransfer<std::byte>> transfers_of(std::span<const ReadTask> tasks,
                                                 const Manifest& manifest) {
  std::vector<RawTransfer<std::byte>> transfers;
  transfers.reserve(tasks.size());
  for (const ReadTask& task : tasks) {
    transfers.push_back({manifest.piece_of(task.read->entry, task.read->chunk), task.read->box,
                         task.elements, manifest.entries.entries[task.read->entry].fqn});
  }
  return transfers;
}

/// Where the bytes of a transfer begin and end in its file.
ByteRange extent_of(const RawTransfer<std::byte>& transfer) {
  const Dims strides = row_major_strides(transfer.piece.sizes);
  std::int64_t first = 0;
  std::int64_t last = 0;
  for (int d = 0; d < transfer.box.ndim(); ++d) {
    const std::int64_t offset = transfer.box.offsets[d] - transfer.piece.offsets[d];
    first += offset * strides[d];
    last += (offset + transfer.box.sizes[d] - 1) * strides[d];
  }
  const std::int64_t itemsize = element_size(transfer.elements.dtype);
  return {transfer.piece.address + first * itemsize,
          transfer.piece.address + (last + 1) * itemsize};
}

/// What a rank would read by itself.
struct OwnReads {
  std::int64_t pieces = 0;         // that lie end to end
  std::int64_t bytes_between = 0;  // the rows of others that it would read across
};

OwnReads own_reads(std::span<const ReadTask> tasks, const Manifest& manifest,
                   std::int64_t sieve_gap) {
  std::vector<RawTransfer<std::byte>> transfers = transfers_of(tasks, manifest);
  for (RawTransfer<std::byte>& transfer : transfers) {
    transfer.fqn = {};  // nothing is read yet
  }
  OwnReads own;
  RawRun<std::byte> before;
  for (TransferRuns<std::byte> runs(transfers); !runs.done();) {
    const RawRun<std::byte> run = runs.take(INT64_MAX);
    const std::int64_t gap = run.offset - (before.offset + before.num_bytes);
    const bool same_file = own.pieces > 0 && run.file == before.file;
    own.pieces += same_file && gap == 0 ? 0 : 1;
    own.bytes_between +=
        same_file && run.transfer == before.transfer && gap > 0 && gap <= sieve_gap ? gap : 0;
    before = run;
  }
  return own;
}

}  // namespace

Result<LoadExchange> LoadExchange::arrange(std::span<const ReadTask> tasks,
                                           const Manifest& manifest, const ReadOptions& options,
                                           const Communicator& comm) {
  LoadExchange exchange(options, comm);
  if (options.exchange == ExchangeLevel::edges) {
    exchange.options_.exchange = ExchangeLevel::node;  // reads have no edges
  }
  if (options.exchange == ExchangeLevel::off || comm.size() == 1) {
    exchange.why_ = comm.size() == 1 ? "there is one rank" : "as asked";
    return exchange;
  }
  const Wishes wishes = exchange.add_up(tasks, manifest, comm);
  exchange.repeated_bytes_ = comm.is_root() ? wishes.repeated : 0;
  if (on_one_node(comm)) {
    exchange.decide(wishes, tasks, manifest);
  } else {
    SHARDMARK_RETURN_IF_ERROR(exchange.decide_for_nodes(tasks, manifest, wishes));
  }
  if (exchange.level_ == ExchangeLevel::off) {
    return exchange;
  }
  exchange.cut_regions(tasks, manifest);
  exchange.deal_chunks(tasks, manifest);
  if (const Status shared = comm.agree(exchange.share_memory()); !shared) {
    exchange.level_ = ExchangeLevel::off;
    exchange.why_ = shared.error().message;
    return exchange;
  }
  return exchange;
}

/// All ranks are on one node.
void LoadExchange::decide(const Wishes& wishes, std::span<const ReadTask> tasks,
                          const Manifest& manifest) {
  if (wishes.total == 0) {
    why_ = "nobody wants anything";
  } else if (options_.exchange != ExchangeLevel::automatic) {
    level_ = ExchangeLevel::node;
    why_ = "as asked";
  } else if (wishes.repeated * min_common_share >= wishes.total) {
    level_ = ExchangeLevel::node;
    why_ = "several ranks want the same";
  } else {
    decide_by_pieces(wishes, tasks, manifest);
  }
}

/// Few want what others want, too. Collective; the same on every rank.
void LoadExchange::decide_by_pieces(const Wishes& wishes, std::span<const ReadTask> tasks,
                                    const Manifest& manifest) {
  const OwnReads own = own_reads(tasks, manifest, options_.sieve_gap);
  std::array<std::int64_t, 3> sums{own.pieces, own.bytes_between,
                                   SharedMemory::grants_large_pages() ? 0 : 1};
  comm_->all_reduce(sums, MPI_SUM);
  const auto [pieces, between, without_large_pages] = sums;
  const std::int64_t least =
      without_large_pages == 0 ? small_piece_bytes : small_piece_bytes_small_pages;
  const bool small = pieces > few_pieces * comm_->size() && wishes.total < pieces * least;
  if (between * min_between_share > wishes.total) {
    level_ = ExchangeLevel::node;
    why_ = "each alone would read across the rows of others";
  } else if (small) {
    level_ = ExchangeLevel::node;
    why_ = "what each wants lies in small pieces";
  } else {
    why_ = "hardly two ranks want the same";
  }
}

/// Collective; the same status, level and reason on every rank.
Status LoadExchange::decide_for_nodes(std::span<const ReadTask> tasks, const Manifest& manifest,
                                      const Wishes& wishes) {
  auto group = NodeGroup::discover(*comm_);
  SHARDMARK_RETURN_IF_ERROR(group);
  group_ = std::make_unique<NodeGroup>(std::move(*group));
  sharers_ = &group_->node();
  const Wishes here = add_up(tasks, manifest, *sharers_);
  // What all nodes would read, each by itself.
  const std::int64_t by_node = comm_->all_reduce(
      sharers_->is_root() ? here.total - here.repeated : std::int64_t{0}, MPI_SUM);
  const std::int64_t once = wishes.total - wishes.repeated;
  const bool automatic = options_.exchange == ExchangeLevel::automatic;
  const bool together = automatic ? (by_node - once) * min_common_share >= once
                                  : options_.exchange == ExchangeLevel::world;
  std::string without_messages;
  if (wishes.total > 0 && together) {
    auto messages = MpiMessageBox::make(*comm_);
    if (!messages && !automatic) {
      return Error{messages.error().code,
                   fmt::format("load.exchange = \"world\": {}, or load.exchange = \"node\"",
                               messages.error().message)};
    }
    if (messages) {
      messages_ = std::move(*messages);
    } else {
      without_messages = "; " + messages.error().message;
    }
  }
  if (wishes.total == 0) {
    why_ = "nobody wants anything";
  } else if (!automatic) {
    level_ = options_.exchange;
    why_ = "as asked";
  } else if (messages_ != nullptr) {
    level_ = ExchangeLevel::world;
    why_ = "several nodes want the same";
  } else if ((wishes.total - by_node) * min_common_share >= wishes.total) {
    level_ = ExchangeLevel::node;
    why_ = "ranks of a node want the same";
  } else if (comm_->all_reduce(std::int64_t{sharers_->size()}, MPI_MAX) > 1) {
    decide_by_pieces(wishes, tasks, manifest);
  } else {
    why_ = "hardly two ranks want the same, and each is alone on its node";
  }
  why_ += without_messages;
  if (level_ == ExchangeLevel::node) {
    repeated_bytes_ = sharers_->is_root() ? here.repeated : 0;
  }
  return {};
}

LoadExchange::Wishes LoadExchange::add_up(std::span<const ReadTask> tasks, const Manifest& manifest,
                                          const Communicator& ranks) const {
  const std::size_t num_entries = manifest.entries.entries.size();
  std::vector<std::int64_t> sums(num_entries, 0);  // bytes by entry
  for (const ReadTask& task : tasks) {
    sums[task.read->entry] += bytes_of(task);
  }
  ranks.all_reduce(sums, MPI_SUM);
  Wishes wishes;
  for (std::size_t e = 0; e < num_entries; ++e) {
    wishes.total += sums[e];
    wishes.repeated += std::max<std::int64_t>(0, sums[e] - manifest.entries.entries[e].num_bytes());
  }
  return wishes;
}

/// The regions in which anybody wants something, known to all.
void LoadExchange::cut_regions(std::span<const ReadTask> tasks, const Manifest& manifest) {
  const auto transfers = transfers_of(tasks, manifest);
  std::vector<std::int64_t> ends(manifest.files.size(), 0);
  for (const auto& transfer : transfers) {
    if (!transfer.box.empty()) {
      ends[transfer.piece.file] = std::max(ends[transfer.piece.file], extent_of(transfer).end);
    }
  }
  const bool together = level_ == ExchangeLevel::world;
  (together ? *comm_ : *sharers_).all_reduce(ends, MPI_MAX);
  std::int64_t total = 0;
  for (const std::int64_t end : ends) {
    total += end;
  }
  const int num_ranks = sharers_->size();
  // Where nodes read together, one quarter is for answers under way.
  std::int64_t node_bytes = options_.exchange_bytes > 0 ? options_.exchange_bytes
                                                        : SharedStaging::default_bytes(num_ranks);
  most_bytes_ = node_bytes / 4 / num_ranks;
  node_bytes -= together ? node_bytes / 4 : 0;
  // The same regions on all nodes.
  const std::int64_t least_bytes = together ? comm_->all_reduce(node_bytes, MPI_MIN) : node_bytes;
  shape_ = SharedStaging::shape_for(together ? comm_->size() : num_ranks, total, least_bytes,
                                    read_region_bytes);
  shape_.num_ranks = num_ranks;
  const std::int64_t slot = shape_.slot_bytes;
  std::vector<std::int64_t> first_region;  // by file
  std::int64_t count = 0;
  for (const std::int64_t end : ends) {
    first_region.push_back(count);
    count += (end + slot - 1) / slot;
  }
  std::vector<std::uint64_t> here(static_cast<std::size_t>(count), 0);
  for (const auto& transfer : transfers) {
    if (transfer.box.empty()) {
      continue;
    }
    const ByteRange extent = extent_of(transfer);
    const std::int64_t base = first_region[transfer.piece.file];
    for (std::int64_t at = extent.begin / slot; at * slot < extent.end; ++at) {
      here[static_cast<std::size_t>(base + at)] = 1;
    }
  }
  sharers_->all_reduce(here, MPI_MAX);
  std::vector<std::uint64_t> nodes = here;
  if (together) {
    if (!sharers_->is_root()) {
      nodes.assign(nodes.size(), 0);
    }
    comm_->all_reduce(nodes, MPI_SUM);
  }
  keep_own_regions(ends, here, nodes);
  SharedStaging::limit_slots(shape_, regions_.size());
}

/// Deals the regions that anybody wants something of to readers, nodes in turn and on each its
/// ranks, and keeps those that this node wants or reads. `here`, `nodes`: by region of all files,
/// whether this node wants something of it, and how many nodes do.
void LoadExchange::keep_own_regions(std::span<const std::int64_t> ends,
                                    std::span<const std::uint64_t> here,
                                    std::span<const std::uint64_t> nodes) {
  std::vector<std::vector<int>> ranks(1);  // of all, by node
  std::size_t own_node = 0;
  if (level_ == ExchangeLevel::world) {
    ranks.resize(static_cast<std::size_t>(group_->num_nodes()));
    for (int rank = 0; rank < comm_->size(); ++rank) {
      const auto node =
          static_cast<std::size_t>(group_->node_of_rank()[static_cast<std::size_t>(rank)]);
      ranks[node].push_back(rank);
      own_node = rank == comm_->rank() ? node : own_node;
    }
  } else {
    ranks.front().resize(static_cast<std::size_t>(sharers_->size()));
  }
  const std::int64_t slot = shape_.slot_bytes;
  std::size_t place = 0;  // in `here` and `nodes`
  std::size_t number = 0;
  for (std::size_t f = 0; f < ends.size(); ++f) {
    for (std::int64_t at = 0; at < ends[f]; at += slot, ++place) {
      if (nodes[place] == 0) {
        continue;
      }
      ReadRegion region;
      region.number = number++;
      const std::size_t node = region.number % ranks.size();
      const std::size_t turn = region.number / ranks.size() % ranks[node].size();
      region.here = here[place] != 0;
      if (!region.here && node != own_node) {
        continue;
      }
      if (files_.empty() || files_.back() != f) {
        files_.push_back(f);
      }
      region.file = files_.size() - 1;
      region.bytes = {at, std::min(at + slot, ends[f])};
      region.nodes = static_cast<int>(nodes[place]);
      region.reader = ranks[node][turn];
      region.server =
          static_cast<int>(node == own_node ? turn : region.number % ranks[own_node].size());
      regions_.push_back(region);
    }
  }
}

bool LoadExchange::reads(const ReadRegion& region) const noexcept {
  return level_ == ExchangeLevel::world ? region.reader == comm_->rank()
                                        : region.server == sharers_->rank();
}

/// Each chunk that anybody wants something of gets one rank that hashes it: of those that want all
/// of it, so that it does so while it copies, else any.
void LoadExchange::deal_chunks(std::span<const ReadTask> tasks, const Manifest& manifest) {
  hashes_task_.assign(tasks.size(), 0);
  if (!options_.hashes) {
    return;
  }
  const std::int64_t ranks = sharers_->size();
  std::vector<std::int64_t> lowest(manifest.entries.num_chunks(), INT64_MAX);
  for (const ReadTask& task : tasks) {
    // Each chunk begins to ask at another rank: no rank gets all replicas.
    const auto turn =
        static_cast<std::int64_t>(task.read->chunk % static_cast<std::uint64_t>(ranks));
    const std::int64_t key = (sharers_->rank() + ranks - turn) % ranks;
    std::int64_t& best = lowest[task.read->chunk];
    best = std::min(best, task.read->whole_chunk ? key : key + ranks);
  }
  const std::vector<std::int64_t> own = lowest;
  sharers_->all_reduce(lowest, MPI_MIN);
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const std::uint64_t chunk = tasks[i].read->chunk;
    const bool chosen = own[chunk] == lowest[chunk];
    hashes_task_[i] = tasks[i].read->whole_chunk && (chosen || options_.hashes_everywhere) ? 1 : 0;
  }
  for (std::size_t e = 0; e < manifest.entries.entries.size(); ++e) {
    const Entry& entry = manifest.entries.entries[e];
    for (std::uint64_t c = entry.first_chunk; c < entry.first_chunk + entry.num_chunks; ++c) {
      if (lowest[c] != INT64_MAX && lowest[c] >= ranks && own[c] == lowest[c]) {
        const Box box = manifest.chunks.box(c, entry.sizes.ndim());
        watched_chunks_.push_back({e, c, box.offsets, 0});
        watched_.push_back({manifest.piece_of(e, c), box, entry.dtype});
      }
    }
  }
}

Status LoadExchange::share_memory() {
  auto memory =
      SharedMemory::make(*sharers_, SharedStaging::num_bytes(shape_), SharedMemory::Pages::large);
  SHARDMARK_RETURN_IF_ERROR(memory);
  memory_.emplace(std::move(*memory));
  if (sharers_->is_root()) {
    SharedStaging::prepare(memory_->bytes(), shape_);
  }
  return {};
}

Status LoadExchange::open_files(const std::string& directory, const Manifest& manifest) {
  open_.resize(files_.size());
  for (const ReadRegion& region : regions_) {
    if (reads(region) && !open_[region.file]) {
      SHARDMARK_ASSIGN_OR_RETURN(
          open_[region.file], RawFile::open(directory + "/" + manifest.files[files_[region.file]],
                                            RawFile::Access::read, options_.o_direct));
    }
  }
  return {};
}

Status LoadExchange::read(const std::string& directory, const Manifest& manifest,
                          std::span<const ReadTask> tasks, ReadCounters& counters,
                          PhaseClock* clock) {
  // The staging is prepared, too, once all agree.
  SHARDMARK_RETURN_IF_ERROR(comm_->agree(open_files(directory, manifest)));
  std::vector<const RawFile*> files;
  for (const std::optional<RawFile>& file : open_) {
    files.push_back(file ? &*file : nullptr);
  }
  std::vector<std::uint64_t> checksums(tasks.size(), 0);
  std::vector<std::optional<std::uint64_t>> watched(watched_.size());
  RegionReader reader(SharedStaging(memory_->bytes(), shape_),
                      {regions_, files_, files, sharers_->rank(), options_.threads,
                       options_.sieve_gap, messages_.get(), most_bytes_},
                      counters, clock);
  const Status done =
      reader.read(transfers_of(tasks, manifest), hashes_task_, checksums, watched_, watched);
  if (clock != nullptr) {
    clock->enter(Phase::read);
  }
  counters.bytes_repeated += repeated_bytes_;
  for (const std::optional<RawFile>& file : open_) {
    if (options_.o_direct && file && counters.o_direct_reason.empty()) {
      counters.o_direct_reason = file->o_direct_reason();
    }
  }
  SHARDMARK_RETURN_IF_ERROR(comm_->agree(done));
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    if (hashes_task_[i] != 0) {
      const PlannedRead& read = *tasks[i].read;
      hashed_.push_back({read.entry, read.chunk, read.box.offsets, checksums[i]});
    }
  }
  for (std::size_t i = 0; i < watched.size(); ++i) {
    if (watched[i]) {
      watched_chunks_[i].checksum = *watched[i];
      hashed_.push_back(watched_chunks_[i]);
    }
  }
  return {};
}

}  // namespace shardmark
