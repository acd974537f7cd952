// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/direct/save_exchange.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "shardmark/plan/tables/byte_codec.hpp"
#include "shardmark/storage/posix/file.hpp"

namespace shardmark {
namespace {

constexpr std::int64_t zero_scan_bytes = std::int64_t{1} << 20;
// Of the elements, what must lie in files that ranks share.
constexpr std::int64_t min_shared_share = 8;

/// The ranges of a file that elements and their padding take.
std::vector<ByteRange> element_ranges(const Manifest& manifest, std::uint64_t file) {
  std::vector<ByteRange> ranges;
  const auto add = [&](std::uint64_t in, std::int64_t address, std::int64_t num_bytes) {
    if (in == file && num_bytes > 0) {
      ranges.push_back({address, address + num_bytes});
    }
  };
  for (std::size_t i = 0; i < manifest.entries.entries.size(); ++i) {
    const Entry& entry = manifest.entries.entries[i];
    const EntryLocation& location = manifest.locations[i];
    if (location.stored_as == StoredAs::whole) {
      add(location.file, location.address, entry.num_bytes());
      continue;
    }
    for (std::uint64_t c = entry.first_chunk; c < entry.first_chunk + entry.num_chunks; ++c) {
      const StoredPiece piece = manifest.piece_of(i, c);
      add(piece.file, piece.address, volume(piece.sizes) * element_size(entry.dtype));
    }
  }
  return merged(std::move(ranges));
}

Result<bool> is_zero(const FileDescriptor& file, const std::string& path, ByteRange range) {
  const off_t data = ::lseek(file.get(), range.begin, SEEK_DATA);
  if ((data < 0 && errno == ENXIO) || data >= range.end) {
    return true;
  }
  std::vector<std::byte> bytes;
  for (std::int64_t at = range.begin; at < range.end; at += zero_scan_bytes) {
    bytes.resize(static_cast<std::size_t>(std::min(zero_scan_bytes, range.end - at)));
    SHARDMARK_RETURN_IF_ERROR(read_at(file, path, bytes, at));
    if (std::any_of(bytes.begin(), bytes.end(), [](std::byte b) { return b != std::byte{0}; })) {
      return false;
    }
  }
  return true;
}

/// What lies between the elements and was put there by whoever laid the file out.
Result<ExchangedFile> survey(const PlacedFiles& placed, std::uint64_t number, int keeper,
                             const Manifest& manifest) {
  const std::string& path = placed.paths[number];
  SHARDMARK_ASSIGN_OR_RETURN(const std::int64_t size, file_size(path));
  SHARDMARK_ASSIGN_OR_RETURN(const FileDescriptor file, open_file(path, O_RDONLY));
  std::vector<ByteRange> elements = element_ranges(manifest, number);
  const ByteRange all{0, elements.empty() ? 0 : elements.back().end};
  std::vector<ByteRange> foreign;
  if (number == 0 && manifest.checksums_address >= 0) {
    const std::int64_t begin = manifest.checksums_address;
    foreign.push_back(
        {begin, begin + static_cast<std::int64_t>(8 * manifest.entries.num_chunks())});
  }
  if (number == 0 && placed.manifest_address >= 0) {
    foreign.push_back({placed.manifest_address, placed.manifest_address + placed.manifest_bytes});
  }
  for (const ByteRange& gap : subtract({&all, 1}, elements)) {
    SHARDMARK_ASSIGN_OR_RETURN(const bool empty, is_zero(file, path, gap));
    if (!empty) {
      foreign.push_back(gap);
    }
  }
  return make_exchanged_file(number, size, keeper, std::move(elements), std::move(foreign),
                             SharedStaging::block_bytes);
}

std::int64_t element_bytes(const ExchangedFile& file) {
  std::int64_t num_bytes = file.num_bytes;
  for (const ByteRange& range : file.outside) {
    num_bytes -= range.num_bytes();
  }
  return num_bytes;
}

}  // namespace

Result<SaveExchange> SaveExchange::arrange(const SaveTarget& target, const PlacedFiles& placed,
                                           const StorageOptions& options,
                                           const Communicator& comm) {
  SaveExchange exchange(comm);
  if (options.exchange == ExchangeLevel::off || comm.size() == 1) {
    exchange.why_ = comm.size() == 1 ? "there is one rank" : "as asked";
    return exchange;
  }
  if (placed.clients.several()) {
    // What rank 0 sees of another client's file need not be what lies there.
    exchange.why_ = "ranks see the files through several clients of the file system";
    return exchange;
  }
  if (!comm.on_one_node()) {
    exchange.why_ = "between nodes it is not available in this version";
    if (options.exchange == ExchangeLevel::node) {
      return Error{ErrorCode::unsupported,
                   "storage.exchange = \"node\" on several nodes is not available in this version, "
                   "expected \"auto\" or \"off\""};
    }
    return exchange;
  }
  std::vector<std::int64_t> leaders(placed.paths.size(), comm.size());
  leaders[placed.own_file] = comm.rank();
  leaders.front() = 0;
  comm.all_reduce(leaders, MPI_MIN);
  std::vector<std::byte> bytes;
  Status surveyed;
  if (comm.is_root()) {
    const bool own_files = placed.layout == FileLayout::per_rank;
    std::int64_t total = 0;
    for (const Entry& entry : target.entries->entries) {
      total += entry.num_bytes();
    }
    std::int64_t shared = 0;
    for (std::size_t f = 0; f < (own_files ? 1 : placed.paths.size()) && surveyed; ++f) {
      auto file = survey(placed, f, static_cast<int>(leaders[f]), *target.manifest);
      surveyed = Status(file);
      if (file && file->num_bytes > 0) {
        shared += element_bytes(*file);
        exchange.files_.push_back(std::move(*file));
      }
    }
    if (options.exchange == ExchangeLevel::automatic && shared * min_shared_share < total) {
      exchange.files_.clear();
    }
    bytes = encode(exchange.files_);
  }
  SHARDMARK_RETURN_IF_ERROR(comm.agree(surveyed));
  comm.broadcast(bytes);
  auto files = decode_exchanged_files(bytes, comm.size());
  SHARDMARK_RETURN_IF_ERROR(comm.agree(Status(files)));
  exchange.files_ = std::move(*files);
  if (exchange.files_.empty()) {
    exchange.why_ = "each file has one writer";
    return exchange;
  }
  if (const Status shared = exchange.share_memory(options); !shared) {
    exchange.files_.clear();
    exchange.why_ = shared.error().message;
    return exchange;
  }
  exchange.level_ = ExchangeLevel::node;
  exchange.why_ =
      options.exchange == ExchangeLevel::node ? "as asked" : "all ranks are on one node";
  return exchange;
}

Status SaveExchange::share_memory(const StorageOptions& options) {
  std::int64_t total = 0;
  for (const ExchangedFile& file : files_) {
    total += file.num_bytes;
  }
  shape_ =
      SharedStaging::shape_for(comm_->size(), total, options.exchange_bytes, region_bytes_for(0));
  SharedStaging::limit_slots(shape_,
                             cut_into_regions(files_, shape_.slot_bytes, comm_->size()).size());
  auto memory = SharedMemory::make(*comm_, SharedStaging::num_bytes(shape_));
  SHARDMARK_RETURN_IF_ERROR(memory);
  memory_.emplace(std::move(*memory));
  if (comm_->is_root()) {
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
                      {files_, files, comm_->rank(), threads}, counters, &clock);
  const Status written = writer.write(all, checksums);
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
