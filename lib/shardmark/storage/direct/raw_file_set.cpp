// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/direct/raw_file_set.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "shardmark/core/checksum.hpp"
#include "shardmark/core/rounding.hpp"
#include "shardmark/storage/direct/written_claims.hpp"
#include "shardmark/storage/format/commit_record.hpp"
#include "shardmark/storage/posix/file.hpp"
#include "shardmark/storage/posix/file_system.hpp"
#include "shardmark/storage/posix/page_residency.hpp"
#include "shardmark/storage/posix/space.hpp"

namespace shardmark {
namespace {

Status make_file(const std::string& path, std::int64_t num_bytes) {
  SHARDMARK_RETURN_IF_ERROR(check_file_size_limit(path, num_bytes));
  {
    SHARDMARK_ASSIGN_OR_RETURN(const FileDescriptor file,
                               open_file(path, O_WRONLY | O_CREAT | O_EXCL));
    if (::ftruncate(file.get(), num_bytes) != 0) {
      return errno_error("cannot extend", path, errno);
    }
  }
  return num_bytes == 0 ? Status() : Status(reserve_space(path, num_bytes));
}

/// The making of one set of files.
class RawFilesMaking {
 public:
  RawFilesMaking(const SaveTarget& target, const StorageOptions& options, const Communicator& comm,
                 PhaseClock& clock)
      : target_(target),
        coherence_(options.coherence),
        comm_(comm),
        clock_(clock),
        has_checksums_(options.checksum == ChecksumKind::xxh3 && target.entries->num_chunks() > 0),
        file_a_rank_(options.backend == Backend::posix) {}

  Status run() {
    SHARDMARK_ASSIGN_OR_RETURN(files_.clients,
                               FileClients::discover(target_.directory, coherence_, comm_));
    name_files();
    share_sizes();
    SHARDMARK_RETURN_IF_ERROR(agree(place_own_chunks()));
    Status made;
    if (comm_.is_root()) {
      made = check_free_space(target_.directory, total_bytes_);
      made = made ? make_file(files_.paths.front(), entry_file_bytes_) : made;
      fill_manifest();
    }
    if (file_a_rank_ && made) {
      made = make_file(files_.paths[files_.own_file],
                       rank_bytes_[static_cast<std::size_t>(comm_.rank())]);
    }
    if (made && files_.clients.several()) {
      made = hand_over();
    }
    SHARDMARK_RETURN_IF_ERROR(agree(made));
    return agree(detect_holes());
  }

  PlacedFiles take() { return std::move(files_); }

 private:
  Status agree(const Status& local) {
    const ScopedPhase wait(clock_, Phase::wait);
    return comm_.agree(local);
  }

  /// Other clients see the files at their full length.
  Status hand_over() const {
    std::vector<FileRange> made;
    if (comm_.is_root()) {
      made.push_back({files_.paths.front(), 0, 0});
    }
    if (file_a_rank_) {
      made.push_back({files_.paths[files_.own_file], 0, 0});
    }
    return drop_cached_pages(made);
  }

  void name_files() {
    names_.push_back(raw_entry_file_name);
    for (int rank = 0; file_a_rank_ && rank < comm_.size(); ++rank) {
      names_.push_back(fmt::format("rank-{:05}.raw", rank));
    }
    for (const std::string& name : names_) {
      files_.paths.push_back(target_.directory + "/" + name);
    }
    files_.layout = file_a_rank_ ? FileLayout::per_rank : FileLayout::shared;
    files_.own_file = file_a_rank_ ? static_cast<std::uint64_t>(comm_.rank()) + 1 : 0;
    files_.leads_own_file = file_a_rank_;
    files_.blocks_apart = true;
  }

  std::int64_t bytes_of(const PlannedWrite& write) const {
    return write.box.num_elements() * element_size(target_.entries->entries[write.entry].dtype);
  }

  /// Every rank learns how much each rank writes, and so where each begins.
  void share_sizes() {
    rank_bytes_.assign(static_cast<std::size_t>(comm_.size()), 0);
    for (const PlannedWrite& write : target_.plan->writes) {
      rank_bytes_[static_cast<std::size_t>(comm_.rank())] += bytes_of(write);
    }
    comm_.all_reduce(rank_bytes_, MPI_SUM);
    std::int64_t at = 0;
    for (const std::int64_t num_bytes : rank_bytes_) {
      rank_starts_.push_back(file_a_rank_ ? 0 : at);
      at += round_up(num_bytes, sharing_block());
      total_bytes_ += num_bytes;
    }
    entry_file_bytes_ = file_a_rank_ ? 0 : at;
    if (has_checksums_) {
      files_.checksums_address = entry_file_bytes_;
      entry_file_bytes_ += static_cast<std::int64_t>(8 * target_.entries->num_chunks());
    }
  }

  Status place_own_chunks() {
    std::int64_t at = rank_starts_[static_cast<std::size_t>(comm_.rank())];
    for (const PlannedWrite& write : target_.plan->writes) {
      files_.pieces.push_back({files_.own_file, at, write.box.offsets, write.box.sizes});
      if (file_a_rank_) {
        files_.own_elements.emplace_back(at, bytes_of(write));
      }
      at += bytes_of(write);
    }
    return {};
  }

  /// Rank 0 follows every rank's plan: chunks ascending.
  void fill_manifest() {
    Manifest& manifest = *target_.manifest;
    manifest.layout = files_.layout;
    manifest.files = names_;
    manifest.checksums_address = files_.checksums_address;
    manifest.locations.assign(manifest.entries.entries.size(), {});
    std::vector<std::int64_t> next = rank_starts_;
    for (std::size_t i = 0; i < manifest.entries.entries.size(); ++i) {
      const Entry& entry = manifest.entries.entries[i];
      if (entry.num_chunks == 0) {
        continue;
      }
      manifest.locations[i].stored_as = StoredAs::separate;
      manifest.locations[i].first_chunk_location = manifest.chunk_locations.size();
      for (std::uint64_t c = entry.first_chunk; c < entry.first_chunk + entry.num_chunks; ++c) {
        const auto owner = static_cast<std::size_t>(target_.global->owners[c]);
        manifest.chunk_locations.push_back({file_a_rank_ ? owner + 1 : 0, next[owner]});
        next[owner] +=
            manifest.chunks.box(c, entry.sizes.ndim()).num_elements() * element_size(entry.dtype);
      }
    }
  }

  Status detect_holes() {
    const auto own = static_cast<std::size_t>(comm_.rank());
    Result<bool> detects = false;
    if (files_.clients.knows_holes && rank_bytes_[own] >= 2 * sharing_block()) {
      detects = can_detect_holes(files_.paths[files_.own_file], rank_starts_[own]);
    }
    files_.detects_holes =
        comm_.all_reduce(std::int64_t{detects.has_value() && *detects}, MPI_MAX) != 0;
    return Status(detects);
  }

  const SaveTarget& target_;
  Coherence coherence_;
  const Communicator& comm_;
  PhaseClock& clock_;
  bool has_checksums_;
  bool file_a_rank_;
  std::vector<std::string> names_;
  std::vector<std::int64_t> rank_bytes_;
  std::vector<std::int64_t> rank_starts_;
  std::int64_t total_bytes_ = 0;
  std::int64_t entry_file_bytes_ = 0;
  PlacedFiles files_;
};

/// Appends the manifest's bytes to the entry file, durably.
Result<std::int64_t> append_manifest(const std::string& path, std::span<const std::byte> bytes,
                                     ReadFrom from) {
  const FileRange whole{path, 0, 0};
  if (from == ReadFrom::storage) {
    SHARDMARK_RETURN_IF_ERROR(drop_cached_pages({&whole, 1}));
  }
  SHARDMARK_ASSIGN_OR_RETURN(const std::int64_t address, file_size(path));
  {
    SHARDMARK_ASSIGN_OR_RETURN(const FileDescriptor file, open_file(path, O_WRONLY));
    SHARDMARK_RETURN_IF_ERROR(write_at(file, path, bytes, address));
  }
  SHARDMARK_RETURN_IF_ERROR(fsync_path(path));
  const WrittenClaim claim = claim_of_bytes(0, address, static_cast<std::int64_t>(bytes.size()),
                                            xxh3(bytes), "the manifest");
  SHARDMARK_RETURN_IF_ERROR(check_claims({&claim, 1}, {&path, 1}, from));
  return address;
}

}  // namespace

Result<PlacedFiles> RawFileSet::create(const SaveTarget& target) {
  RawFilesMaking making(target, options_, comm_, clock_);
  SHARDMARK_RETURN_IF_ERROR(making.run());
  PlacedFiles placed = making.take();
  entry_file_ = placed.paths.front();
  proof_reads_ = placed.clients.proof_reads();
  manifest_ = target.manifest;
  return placed;
}

Result<StoredManifest> RawFileSet::write_manifest(std::span<const std::byte> bytes) {
  StoredManifest stored;
  SHARDMARK_ASSIGN_OR_RETURN(stored.address, append_manifest(entry_file_, bytes, proof_reads_));
  SHARDMARK_ASSIGN_OR_RETURN(
      stored.outside_hash,
      hash_outside(entry_file_, entry_file_elements(*manifest_), proof_reads_));
  return stored;
}

}  // namespace shardmark
