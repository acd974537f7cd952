// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/direct/load_exchange.hpp"

#include <algorithm>
#include <utility>

#include "shardmark/storage/raw/transfer_runs.hpp"

namespace shardmark {
namespace {

// Several of them keep all ranks reading even where a load is short.
constexpr std::int64_t read_region_bytes = std::int64_t{8} << 20;
// From here on a rank's own request costs no more than its share of a common one.
constexpr std::int64_t large_stretch_bytes = std::int64_t{1} << 20;
// Of what is wanted, the part that must be small or wanted twice.
constexpr std::int64_t min_common_share = 8;

std::int64_t bytes_of(const ReadTask& task) {
  return task.elements.num_bytes();
}

std::vector<RawTransfer<std::byte>> transfers_of(std::span<const ReadTask> tasks,
                                                 const Manifest& manifest) {
  std::vector<RawTransfer<std::byte>> transfers;
  transfers.reserve(tasks.size());
  for (const ReadTask& task : tasks) {
    transfers.push_back(
        {manifest.piece_of(task.read->entry, task.read->chunk), task.read->box, task.elements});
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

}  // namespace

Result<LoadExchange> LoadExchange::arrange(std::span<const ReadTask> tasks,
                                           const Manifest& manifest, const ReadOptions& options,
                                           const Communicator& comm) {
  LoadExchange exchange(options, comm);
  if (options.exchange == ExchangeLevel::off || comm.size() == 1) {
    exchange.why_ = comm.size() == 1 ? "there is one rank" : "as asked";
    return exchange;
  }
  if (!comm.on_one_node()) {
    if (options.exchange == ExchangeLevel::node) {
      return Error{ErrorCode::unsupported,
                   "load.exchange = \"node\" on several nodes is not available in this version, "
                   "expected \"auto\" or \"off\""};
    }
    exchange.why_ = "between nodes it is not available in this version";
    return exchange;
  }
  const Wishes wishes = exchange.add_up(tasks, manifest);
  const std::int64_t common = wishes.small + wishes.repeated;
  if (wishes.total == 0 ||
      (options.exchange == ExchangeLevel::automatic && common * min_common_share < wishes.total)) {
    exchange.why_ = "pieces are large and one rank wants each";
    return exchange;
  }
  exchange.repeated_bytes_ = wishes.repeated;
  exchange.cut_regions(tasks, manifest);
  exchange.deal_chunks(tasks, manifest);
  if (const Status shared = exchange.share_memory(); !shared) {
    exchange.why_ = shared.error().message;
    return exchange;
  }
  exchange.level_ = ExchangeLevel::node;
  exchange.why_ = options.exchange == ExchangeLevel::node ? "as asked"
                  : wishes.repeated > wishes.small        ? "several ranks want the same"
                                                          : "pieces are small";
  return exchange;
}

LoadExchange::Wishes LoadExchange::add_up(std::span<const ReadTask> tasks,
                                          const Manifest& manifest) const {
  const std::size_t num_entries = manifest.entries.entries.size();
  std::vector<std::int64_t> sums(num_entries + 1, 0);  // by entry, then of small stretches
  for (const ReadTask& task : tasks) {
    sums[task.read->entry] += bytes_of(task);
  }
  const auto transfers = transfers_of(tasks, manifest);
  std::uint64_t file = 0;
  ByteRange stretch;
  const auto end_stretch = [&] {
    sums.back() += stretch.num_bytes() < large_stretch_bytes ? stretch.num_bytes() : 0;
  };
  for (TransferRuns<std::byte> runs(transfers); !runs.done();) {
    const RawRun<std::byte> run = runs.take(INT64_MAX);
    if (run.file == file && run.offset <= stretch.end + options_.sieve_gap &&
        run.offset >= stretch.begin) {
      stretch.end = std::max(stretch.end, run.offset + run.num_bytes);
      continue;
    }
    end_stretch();
    file = run.file;
    stretch = {run.offset, run.offset + run.num_bytes};
  }
  end_stretch();
  comm_->all_reduce(sums, MPI_SUM);
  Wishes wishes;
  wishes.small = sums.back();
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
  comm_->all_reduce(ends, MPI_MAX);
  std::int64_t total = 0;
  for (const std::int64_t end : ends) {
    total += end;
  }
  shape_ =
      SharedStaging::shape_for(comm_->size(), total, options_.exchange_bytes, read_region_bytes);
  const std::int64_t slot = shape_.slot_bytes;
  std::vector<std::int64_t> first_region;  // by file
  std::int64_t count = 0;
  for (const std::int64_t end : ends) {
    first_region.push_back(count);
    count += (end + slot - 1) / slot;
  }
  std::vector<std::uint64_t> touched(static_cast<std::size_t>(count + 63) / 64, 0);
  for (const auto& transfer : transfers) {
    if (transfer.box.empty()) {
      continue;
    }
    const ByteRange extent = extent_of(transfer);
    const std::int64_t base = first_region[transfer.piece.file];
    for (std::int64_t at = extent.begin / slot; at * slot < extent.end; ++at) {
      touched[static_cast<std::size_t>(base + at) / 64] |= 1ULL << ((base + at) % 64);
    }
  }
  comm_->all_reduce(touched, MPI_BOR);
  for (std::size_t f = 0; f < ends.size(); ++f) {
    bool used = false;
    for (std::int64_t at = 0; at < ends[f]; at += slot) {
      const std::int64_t number = first_region[f] + at / slot;
      if ((touched[static_cast<std::size_t>(number) / 64] >> (number % 64) & 1U) == 0) {
        continue;
      }
      if (!std::exchange(used, true)) {
        files_.push_back(f);
      }
      regions_.push_back({files_.size() - 1, {at, std::min(at + slot, ends[f])}});
    }
  }
  SharedStaging::limit_slots(shape_, regions_.size());
}

/// Each chunk that anybody wants something of gets one rank that hashes it: of those that want all
/// of it, so that it does so while it copies, else any.
void LoadExchange::deal_chunks(std::span<const ReadTask> tasks, const Manifest& manifest) {
  hashes_task_.assign(tasks.size(), 0);
  if (!options_.hashes) {
    return;
  }
  const std::int64_t ranks = comm_->size();
  std::vector<std::int64_t> lowest(manifest.entries.num_chunks(), INT64_MAX);
  for (const ReadTask& task : tasks) {
    // Each chunk begins to ask at another rank: no rank gets all replicas.
    const auto turn =
        static_cast<std::int64_t>(task.read->chunk % static_cast<std::uint64_t>(ranks));
    const std::int64_t key = (comm_->rank() + ranks - turn) % ranks;
    std::int64_t& best = lowest[task.read->chunk];
    best = std::min(best, task.read->whole_chunk ? key : key + ranks);
  }
  const std::vector<std::int64_t> own = lowest;
  comm_->all_reduce(lowest, MPI_MIN);
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
  auto memory = SharedMemory::make(*comm_, SharedStaging::num_bytes(shape_));
  SHARDMARK_RETURN_IF_ERROR(memory);
  memory_.emplace(std::move(*memory));
  if (comm_->is_root()) {
    SharedStaging::prepare(memory_->bytes(), shape_);
  }
  return {};
}

Status LoadExchange::open_files(const std::string& directory, const Manifest& manifest) {
  for (const std::uint64_t number : files_) {
    SHARDMARK_ASSIGN_OR_RETURN(
        RawFile file, RawFile::open(directory + "/" + manifest.files[number], RawFile::Access::read,
                                    options_.o_direct));
    open_.push_back(std::move(file));
  }
  return {};
}

Status LoadExchange::read(const std::string& directory, const Manifest& manifest,
                          std::span<const ReadTask> tasks, ReadCounters& counters,
                          PhaseClock* clock) {
  // The staging is prepared, too, once all agree.
  SHARDMARK_RETURN_IF_ERROR(comm_->agree(open_files(directory, manifest)));
  std::vector<const RawFile*> files;
  for (const RawFile& file : open_) {
    files.push_back(&file);
  }
  std::vector<std::uint64_t> checksums(tasks.size(), 0);
  std::vector<std::optional<std::uint64_t>> watched(watched_.size());
  RegionReader reader(
      SharedStaging(memory_->bytes(), shape_),
      {regions_, files_, files, comm_->rank(), options_.threads, options_.sieve_gap}, counters,
      clock);
  const Status done =
      reader.read(transfers_of(tasks, manifest), hashes_task_, checksums, watched_, watched);
  if (clock != nullptr) {
    clock->enter(Phase::read);
  }
  counters.bytes_repeated += comm_->is_root() ? repeated_bytes_ : 0;
  for (const RawFile& file : open_) {
    if (options_.o_direct && counters.o_direct_reason.empty()) {
      counters.o_direct_reason = file.o_direct_reason();
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
