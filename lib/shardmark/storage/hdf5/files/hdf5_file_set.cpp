// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/hdf5/files/hdf5_file_set.hpp"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "shardmark/mpi/node_topology.hpp"
#include "shardmark/plan/tables/byte_codec.hpp"
#include "shardmark/storage/contract/reserved_pieces.hpp"
#include "shardmark/storage/format/commit_record.hpp"
#include "shardmark/storage/hdf5/files/entry_file.hpp"
#include "shardmark/storage/hdf5/files/entry_places.hpp"
#include "shardmark/storage/posix/file.hpp"
#include "shardmark/storage/posix/space.hpp"

namespace shardmark {
namespace {

constexpr int members_tag = 11;
constexpr int addresses_tag = 12;
constexpr int pieces_tag = 13;
constexpr int places_tag = 17;

}  // namespace

/// The making of one set of files.
class Hdf5FileSet::Making {
 public:
  Making(Hdf5FileSet& set, const SaveTarget& target)
      : set_(set), target_(target), options_(set.options_), comm_(set.comm_), clock_(set.clock_) {}

  Status run() {
    SHARDMARK_ASSIGN_OR_RETURN(files_.clients,
                               FileClients::discover(target_.directory, options_.coherence, comm_));
    set_.proof_reads_ = files_.clients.proof_reads();
    arrange();
    // Before a file exists: the least that each will have. A limit hit later, inside MPI-IO, might
    // go unreported.
    SHARDMARK_RETURN_IF_ERROR(agree(check_limits()));
    Status made;
    if (comm_.is_root()) {
      made = begin_entry_file();
    }
    if (files_.paths.size() > 1) {
      const Status shared = join_group();
      const Status data = shared ? make_data_file() : shared;
      made = made ? data : made;
    }
    // HDF5's own transfers need a finished file, and what HDF5 changes while other clients write
    // into the same pages is lost, or what they write.
    if (made && (options_.io != IoMode::direct || files_.clients.several())) {
      made = set_.finish_entry_file();
    }
    SHARDMARK_RETURN_IF_ERROR(agree(made));
    collect_addresses();
    SHARDMARK_RETURN_IF_ERROR(agree(share_pieces()));
    SHARDMARK_RETURN_IF_ERROR(agree(reserve()));
    if (files_.clients.several()) {
      SHARDMARK_RETURN_IF_ERROR(agree(hand_over()));
    }
    const Status measured = measure_entry_file();
    const Status holes = detect_holes();
    SHARDMARK_RETURN_IF_ERROR(agree(measured ? holes : measured));
    if (set_.unfinished_) {
      set_.unfinished_->finish_behind();  // raw writes do not meet it
    }
    return {};
  }

  PlacedFiles take() { return std::move(files_); }

 private:
  Status agree(const Status& local) {
    const ScopedPhase wait(clock_, Phase::wait);
    return comm_.agree(local);
  }

  Status check_limits() const {
    std::int64_t least = element_bytes(*target_.entries);
    if (files_.paths.size() > 1) {
      least = 0;
      for (const PlannedWrite& write : target_.plan->writes) {
        least +=
            write.box.num_elements() * element_size(target_.entries->entries[write.entry].dtype);
      }
    }
    SHARDMARK_RETURN_IF_ERROR(
        check_file_size_limit(target_.directory + "/" + entry_file_name, least));
    return comm_.is_root() ? check_free_space(target_.directory, bytes_to_store(target_))
                           : Status();
  }

  /// Rank 0 decides; everybody learns which files there are and how each entry is laid out.
  void arrange() {
    std::vector<int> node_of_rank(static_cast<std::size_t>(comm_.size()), 0);
    if (options_.layout == FileLayout::per_node) {
      node_of_rank = NodeTopology::discover(comm_).node_of_rank;
    }
    std::vector<std::byte> bytes;
    if (comm_.is_root()) {
      arrangement_ = arrange_files(options_, *target_.entries, target_.manifest->chunks,
                                   node_of_rank, target_.manifest->world_size);
      ByteWriter out;
      out.varint(static_cast<std::uint64_t>(arrangement_.layout));
      out.varint(arrangement_.files.size());
      for (const std::string& file : arrangement_.files) {
        out.text(file);
      }
      for (const EntryArrangement& entry : arrangement_.entries) {
        out.varint(static_cast<std::uint64_t>(entry.form));
      }
      for (const std::uint64_t file : arrangement_.file_of_rank) {
        out.varint(file);
      }
      bytes = std::move(out).take();
    }
    comm_.broadcast(bytes);
    ByteReader in(bytes);
    files_.layout = static_cast<FileLayout>(in.varint());
    const std::uint64_t num_files = in.varint();
    for (std::uint64_t i = 0; i < num_files; ++i) {
      files_.paths.push_back(target_.directory + "/" + std::string(in.text()));
    }
    set_.entry_file_ = files_.paths.front();
    for (std::size_t i = 0; i < target_.entries->entries.size(); ++i) {
      set_.datasets_.forms.push_back(static_cast<EntryForm>(in.varint()));
    }
    for (int rank = 0; rank < comm_.size(); ++rank) {
      const std::uint64_t file = in.varint();
      files_.own_file = rank == comm_.rank() ? file : files_.own_file;
      if (leaders_.size() < file) {
        leaders_.push_back(rank);  // files are numbered by their lowest rank
      }
    }
  }

  Status begin_entry_file() {
    const std::span<const std::int32_t> owners =
        target_.global ? std::span<const std::int32_t>(target_.global->owners)
                       : std::span<const std::int32_t>();
    SHARDMARK_ASSIGN_OR_RETURN(
        NewEntryFile file,
        NewEntryFile::begin(files_.paths.front(),
                            {options_, std::move(arrangement_), owners, target_.kept_entry_file},
                            *target_.manifest));
    set_.datasets_.packed_addresses = file.made().packed_addresses;
    files_.manifest_address = file.made().manifest_address;
    files_.manifest_bytes = file.made().manifest_bytes;
    set_.unfinished_.emplace(std::move(file));
    const bool more = set_.unfinished_->bytes_to_come() > 0;
    return more ? Status() : set_.finish_entry_file();
  }

  Status join_group() {
    auto group = Communicator::split(comm_, static_cast<int>(files_.own_file));
    SHARDMARK_RETURN_IF_ERROR(group);
    set_.group_ = std::make_unique<Communicator>(std::move(*group));
    files_.leads_own_file = set_.group_->is_root();
    return {};
  }

  /// The ranks of a file tell its leader what they write; the leader makes it and tells them where.
  Status make_data_file() {
    std::vector<DataFileChunk> own;
    for (const PlannedWrite& write : target_.plan->writes) {
      if (set_.datasets_.forms[write.entry] == EntryForm::separate) {
        own.push_back({write.entry, write.chunk, write.box});
      }
    }
    const Communicator& group = *set_.group_;
    if (!group.is_root()) {
      group.send(encode_chunks(own), 0, members_tag);
      return hear_places();
    }
    std::vector<DataFileChunk>& all = set_.datasets_.data_chunks;
    all = std::move(own);
    std::vector<std::size_t> ends{all.size()};  // by member
    Status status;
    for (int member = 1; member < group.size(); ++member) {
      const Status decoded = decode_chunks(group.recv(member, members_tag), *target_.entries, all);
      status = status ? decoded : status;
      ends.push_back(all.size());
    }
    if (status) {
      const auto made =
          create_data_file(files_.paths[files_.own_file], options_, *target_.entries, all);
      status = Status(made);
      data_metadata_bytes_ = made ? made->library_metadata_bytes : 0;
      files_.own_elements = element_ranges_of(all, *target_.entries);
    }
    tell_places(ends);
    return status;
  }

  /// HDF5's transfers name all datasets of a file on every rank; others know their own alone.
  bool each_knows_its_own() const { return options_.io == IoMode::direct; }

  void tell_places(std::span<const std::size_t> ends) {
    const Communicator& group = *set_.group_;
    const std::span<const DataFileChunk> all = set_.datasets_.data_chunks;
    if (!each_knows_its_own()) {
      std::vector<std::byte> bytes = encode_chunks(all);
      group.broadcast(bytes);
      return;
    }
    for (std::size_t member = 1; member < ends.size(); ++member) {
      const std::size_t first = ends[member - 1];
      group.send(encode_chunks(all.subspan(first, ends[member] - first)), static_cast<int>(member),
                 places_tag);
    }
  }

  Status hear_places() {
    std::vector<std::byte> bytes;
    if (each_knows_its_own()) {
      bytes = set_.group_->recv(0, places_tag);
    } else {
      set_.group_->broadcast(bytes);
    }
    return decode_chunks(bytes, *target_.entries, set_.datasets_.data_chunks);
  }

  /// Rank 0 learns the addresses in every data file.
  void collect_addresses() {
    if (files_.paths.size() > 1) {
      const std::int64_t metadata = comm_.all_reduce(data_metadata_bytes_, MPI_SUM);
      if (comm_.is_root()) {
        set_.counters_.library_metadata_bytes += metadata;
        note_addresses(set_.datasets_.data_chunks);
        for (const int leader : leaders_) {
          if (leader != 0) {
            std::vector<DataFileChunk> chunks;
            const Status decoded =
                decode_chunks(comm_.recv(leader, addresses_tag), *target_.entries, chunks);
            SHARDMARK_ASSERT(decoded.has_value(), "a rank of this save wrote these bytes");
            note_addresses(chunks);
          }
        }
      } else if (set_.group_->is_root()) {
        comm_.send(encode_chunks(set_.datasets_.data_chunks), 0, addresses_tag);
      }
    }
    plain_addresses_.assign(set_.datasets_.forms.size() + 1, -1);
    if (comm_.is_root()) {
      std::transform(target_.manifest->locations.begin(), target_.manifest->locations.end(),
                     plain_addresses_.begin(),
                     [](const EntryLocation& location) { return location.address; });
      plain_addresses_.back() = target_.manifest->checksums_address;
    }
    comm_.all_reduce(plain_addresses_, MPI_MAX);
    files_.checksums_address = plain_addresses_.back();
    comm_.all_reduce(set_.datasets_.packed_addresses, MPI_MAX);
  }

  void note_addresses(std::span<const DataFileChunk> chunks) {
    Manifest& manifest = *target_.manifest;
    for (const DataFileChunk& chunk : chunks) {
      const EntryLocation& location = manifest.locations[chunk.entry];
      const std::uint64_t first = manifest.entries.entries[chunk.entry].first_chunk;
      manifest.chunk_locations[location.first_chunk_location + (chunk.chunk - first)].address =
          chunk.address;
    }
  }

  static bool in_entry_file_by_chunk(EntryForm form) {
    return form == EntryForm::hdf5_chunks || form == EntryForm::packed;
  }

  /// Where each planned write of this rank goes.
  Status share_pieces() {
    std::vector<std::byte> bytes;
    if (std::any_of(set_.datasets_.forms.begin(), set_.datasets_.forms.end(),
                    in_entry_file_by_chunk)) {
      bytes = exchange_chunk_pieces();
    }
    std::unordered_map<std::uint64_t, std::int64_t> separate;
    for (const DataFileChunk& chunk : set_.datasets_.data_chunks) {
      separate.emplace(chunk.chunk, chunk.address);
    }
    ByteReader in(bytes);
    for (const PlannedWrite& write : target_.plan->writes) {
      const Entry& entry = target_.entries->entries[write.entry];
      const EntryForm form = set_.datasets_.forms[write.entry];
      if (form == EntryForm::plain) {
        files_.pieces.push_back(
            {0, plain_addresses_[write.entry], Dims::filled(entry.sizes.ndim(), 0), entry.sizes});
      } else if (form == EntryForm::separate) {
        files_.pieces.push_back(
            {files_.own_file, separate.at(write.chunk), write.box.offsets, write.box.sizes});
      } else {
        const auto address = static_cast<std::int64_t>(in.fixed64());
        const bool tiled = form == EntryForm::hdf5_chunks;
        files_.pieces.push_back(
            {0, address, write.box.offsets, tiled ? in.dims(entry.sizes.ndim()) : write.box.sizes});
      }
    }
    return in.status("addresses of chunks");
  }

  /// Rank 0 tells every rank the addresses of its chunks, in the order of the rank's plan.
  std::vector<std::byte> exchange_chunk_pieces() {
    if (!comm_.is_root()) {
      return comm_.recv(0, pieces_tag);
    }
    const Manifest& manifest = *target_.manifest;
    std::vector<ByteWriter> out(static_cast<std::size_t>(comm_.size()));
    for (std::size_t i = 0; i < manifest.entries.entries.size(); ++i) {
      const Entry& entry = manifest.entries.entries[i];
      for (std::uint64_t c = entry.first_chunk; in_entry_file_by_chunk(set_.datasets_.forms[i]) &&
                                                c < entry.first_chunk + entry.num_chunks;
           ++c) {
        ByteWriter& to = out[static_cast<std::size_t>(target_.global->owners[c])];
        const StoredPiece piece = manifest.piece_of(i, c);
        to.fixed64(static_cast<std::uint64_t>(piece.address));
        if (set_.datasets_.forms[i] == EntryForm::hdf5_chunks) {
          to.dims(piece.sizes);
        }
      }
    }
    for (int rank = 1; rank < comm_.size(); ++rank) {
      comm_.send(out[static_cast<std::size_t>(rank)].bytes(), rank, pieces_tag);
    }
    return std::move(out.front()).take();
  }

  Status reserve() {
    for (const std::uint64_t file : {std::uint64_t{0}, files_.own_file}) {
      SHARDMARK_ASSIGN_OR_RETURN(const std::int64_t size, file_size(files_.paths[file]));
      SHARDMARK_RETURN_IF_ERROR(check_file_size_limit(files_.paths[file], size));
      const bool makes_it = file == 0 ? comm_.is_root() : files_.leads_own_file;
      const bool more = file == 0 && set_.unfinished_;
      if (file == 0 && target_.has_holes) {
        SHARDMARK_RETURN_IF_ERROR(reserve_pieces(target_, files_, file));
      } else if (makes_it) {
        SHARDMARK_RETURN_IF_ERROR(
            reserve_space(files_.paths[file], size, more ? set_.unfinished_->bytes_to_come() : 0));
      }
    }
    return {};
  }

  /// What HDF5 has written is in storage, and no page of it stays in the cache of who made it:
  /// whoever writes beside it must not write it again.
  Status hand_over() const {
    if (comm_.is_root()) {
      SHARDMARK_RETURN_IF_ERROR(Status(hash_outside(
          files_.paths.front(), entry_file_elements(*target_.manifest), ReadFrom::storage)));
    }
    return files_.leads_own_file ? Status(hash_outside(files_.paths[files_.own_file],
                                                       files_.own_elements, ReadFrom::storage))
                                 : Status();
  }

  /// Before a thread makes it longer.
  Status measure_entry_file() {
    if (set_.unfinished_) {
      SHARDMARK_ASSIGN_OR_RETURN(files_.laid_out_bytes, file_size(files_.paths.front()));
    }
    return {};
  }

  /// Asked of the largest piece, so that a whole page lies in it.
  Status detect_holes() {
    std::int64_t largest = -1;
    std::int64_t most = 0;
    for (std::size_t i = 0; i < files_.pieces.size(); ++i) {
      const StoredPiece& piece = files_.pieces[i];
      const std::int64_t num_bytes =
          volume(piece.sizes) *
          element_size(target_.entries->entries[target_.plan->writes[i].entry].dtype);
      if (num_bytes > most) {
        most = num_bytes;
        largest = static_cast<std::int64_t>(i);
      }
    }
    Result<bool> detects = false;
    if (largest >= 0 && files_.clients.knows_holes) {
      const StoredPiece& piece = files_.pieces[static_cast<std::size_t>(largest)];
      detects = can_detect_holes(files_.paths[piece.file], piece.address);
    }
    // Nobody writes before all have asked: the caller agrees.
    files_.detects_holes =
        comm_.all_reduce(std::int64_t{detects.has_value() && *detects}, MPI_MAX) != 0;
    return Status(detects);
  }

  Hdf5FileSet& set_;
  const SaveTarget& target_;
  const StorageOptions& options_;
  const Communicator& comm_;
  PhaseClock& clock_;
  FileArrangement arrangement_;                // rank 0
  std::vector<int> leaders_;                   // by data file, the rank that makes it
  std::vector<std::int64_t> plain_addresses_;  // by entry, then of the checksums
  std::int64_t data_metadata_bytes_ = 0;       // of the data file that this rank makes
  PlacedFiles files_;
};

Hdf5FileSet::~Hdf5FileSet() {
  if (group_) {
    group_->close();
  }
}

Status Hdf5FileSet::finish_entry_file() {
  if (!unfinished_) {
    return {};
  }
  const bool had_reserve = unfinished_->bytes_to_come() > 0;
  const auto made = unfinished_->finish();
  unfinished_.reset();
  SHARDMARK_RETURN_IF_ERROR(made);
  counters_.library_metadata_bytes += made->counters.library_metadata_bytes;
  return had_reserve ? release_reserve(entry_file_) : Status();
}

Result<PlacedFiles> Hdf5FileSet::create(const SaveTarget& target) {
  manifest_ = target.manifest;
  Making making(*this, target);
  SHARDMARK_RETURN_IF_ERROR(making.run());
  return making.take();
}

Result<StoredManifest> Hdf5FileSet::write_manifest(std::span<const std::byte> bytes) {
  SHARDMARK_RETURN_IF_ERROR(finish_entry_file());
  StoredManifest stored;
  SHARDMARK_ASSIGN_OR_RETURN(stored.address,
                             write_manifest_durably(entry_file_, bytes, proof_reads_));
  SHARDMARK_ASSIGN_OR_RETURN(
      stored.outside_hash,
      hash_outside(entry_file_, entry_file_elements(*manifest_), proof_reads_));
  return stored;
}

}  // namespace shardmark
