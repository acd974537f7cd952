// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/direct/raw_file_set.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <numeric>
#include <string>
#include <vector>

#include "shardmark/core/checksum.hpp"
#include "shardmark/storage/direct/raw_arrangement.hpp"
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
        backend_(options.backend) {}

  Status run() {
    SHARDMARK_ASSIGN_OR_RETURN(files_.clients,
                               FileClients::discover(target_.directory, coherence_, comm_));
    arrange();
    SHARDMARK_RETURN_IF_ERROR(agree(place_own_chunks()));
    Status made;
    if (comm_.is_root()) {
      made = check_free_space(target_.directory, total_bytes_);
      made = made ? make_file(files_.paths.front(), arrangement_.entry_file_bytes) : made;
      describe_places(arrangement_, target_.global->owners, *target_.manifest);
    }
    if (has_own_file() && made) {
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

  bool has_own_file() const { return files_.own_file != 0; }

  /// Other clients see the files at their full length.
  Status hand_over() const {
    std::vector<FileRange> made;
    if (comm_.is_root()) {
      made.push_back({files_.paths.front(), 0, 0});
    }
    if (has_own_file()) {
      made.push_back({files_.paths[files_.own_file], 0, 0});
    }
    return drop_cached_pages(made);
  }

  std::int64_t bytes_of(const PlannedWrite& write) const {
    return write.box.num_elements() * element_size(target_.entries->entries[write.entry].dtype);
  }

  /// Every rank learns how much each rank writes, and so where each begins.
  void arrange() {
    rank_bytes_.assign(static_cast<std::size_t>(comm_.size()), 0);
    for (const PlannedWrite& write : target_.plan->writes) {
      rank_bytes_[static_cast<std::size_t>(comm_.rank())] += bytes_of(write);
    }
    comm_.all_reduce(rank_bytes_, MPI_SUM);
    total_bytes_ = std::accumulate(rank_bytes_.begin(), rank_bytes_.end(), std::int64_t{0});
    arrangement_ =
        arrange_raw_files(backend_, rank_bytes_, has_checksums_ ? target_.entries->num_chunks() : 0,
                          files_.clients.block_bytes);
    for (const std::string& name : arrangement_.files) {
      files_.paths.push_back(target_.directory + "/" + name);
    }
    files_.layout = arrangement_.layout;
    files_.own_file = arrangement_.file_of_rank(static_cast<std::size_t>(comm_.rank()));
    files_.leads_own_file = has_own_file();
    files_.checksums_address = arrangement_.checksums_address;
    files_.blocks_apart = true;
  }

  Status place_own_chunks() {
    std::int64_t at = arrangement_.rank_starts[static_cast<std::size_t>(comm_.rank())];
    for (const PlannedWrite& write : target_.plan->writes) {
      files_.pieces.push_back({files_.own_file, at, write.box.offsets, write.box.sizes});
      if (has_own_file()) {
        files_.own_elements.emplace_back(at, bytes_of(write));
      }
      at += bytes_of(write);
    }
    return {};
  }

  Status detect_holes() {
    const auto own = static_cast<std::size_t>(comm_.rank());
    Result<bool> detects = false;
    if (files_.clients.knows_holes && rank_bytes_[own] >= 2 * sharing_block()) {
      detects = can_detect_holes(files_.paths[files_.own_file], arrangement_.rank_starts[own]);
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
  Backend backend_;
  std::vector<std::int64_t> rank_bytes_;
  std::int64_t total_bytes_ = 0;
  RawArrangement arrangement_;
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
