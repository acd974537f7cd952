// SPDX-License-Identifier: Apache-2.0
#include "shardmark/checkpoint/load.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "shardmark/checkpoint/checkpoint_files.hpp"
#include "shardmark/checkpoint/chunk_verification.hpp"
#include "shardmark/checkpoint/replica_broadcast.hpp"
#include "shardmark/core/rounding.hpp"
#include "shardmark/plan/load/load_plan.hpp"
#include "shardmark/storage/contract/storage_reader.hpp"

namespace shardmark {
namespace {

/// One load on one rank, up to the plan or to the end.
class Load {
 public:
  Load(const StateDict& state_dict, const LoadOptions& options, const Communicator& comm,
       PhaseClock& clock)
      : state_dict_(state_dict), options_(options), comm_(comm), clock_(clock) {}

  Status plan() {
    SHARDMARK_RETURN_IF_ERROR(open());
    clock_.enter(Phase::hooks);
    auto wanted = collect_wanted(state_dict_);
    Status planned(wanted);
    clock_.enter(Phase::load_plan);
    if (wanted) {
      auto plan = make_load_plan(*wanted, manifest_.entries, manifest_.chunks,
                                 options_.played   ? MissingEntries::of_others
                                 : options_.strict ? MissingEntries::refuse
                                                   : MissingEntries::leave_alone);
      planned = Status(plan);
      if (plan) {
        plan_ = std::move(*plan);
      }
    }
    SHARDMARK_RETURN_IF_ERROR(agree(planned));
    return options_.replicas == Replicas::broadcast && !reads_by_exchange(backend(), options_.io)
               ? broadcast_.emplace(comm_).plan(plan_, manifest_.entries)
               : Status();
  }

  Result<LoadReport> run() {
    SHARDMARK_RETURN_IF_ERROR(plan());
    LoadReport report;
    clock_.enter(Phase::read);
    std::vector<ReadTask> tasks;
    SHARDMARK_RETURN_IF_ERROR(agree(resolve(tasks)));
    clock_.enter(Phase::read);
    const bool hashes =
        options_.checksum != ChecksumMode::none && !checksums_.empty() && !broadcast_;
    const auto reader = make_storage_reader(
        {backend(), options_.io, options_.o_direct, options_.threads, options_.sieve_gap, hashes,
         options_.hints,
         options_.replicas == Replicas::broadcast ? ExchangeLevel::world : options_.exchange,
         options_.exchange_bytes, options_.checksum == ChecksumMode::full},
        comm_, &clock_);
    SHARDMARK_RETURN_IF_ERROR(reader->read(directory_, manifest_, own_reads(tasks)));
    if (broadcast_) {
      broadcast_->distribute(tasks);
      report.bytes_received = broadcast_->bytes_received();
    }
    clock_.enter(Phase::verify);
    ChunkVerification verification(directory_, manifest_, checksums_, comm_);
    const Status verified =
        verification.run(tasks, reader->checksums(), reader->hashed_chunks(), options_.checksum);
    SHARDMARK_RETURN_IF_ERROR(agree(verified));

    // Collective, and so a part of the load.
    report.keys = report_keys(plan_, manifest_.entries, comm_);
    report.absent_bytes = plan_.absent_bytes;
    report.absent = std::move(plan_.absent);
    std::sort(report.absent.begin(), report.absent.end());
    report.step = manifest_.step;
    report.seed = manifest_.seed;
    report.num_bytes = plan_.num_bytes;
    report.bytes_read = reader->counters().bytes_read;
    report.read_requests = reader->counters().read_requests;
    report.smallest_request = reader->counters().smallest_request;
    report.bytes_staged = reader->counters().bytes_staged;
    report.bytes_o_direct = reader->counters().bytes_o_direct;
    report.o_direct_reason = reader->counters().o_direct_reason;
    report.bytes_received += reader->counters().bytes_repeated;
    report.bytes_exchanged = reader->counters().bytes_exchanged;
    report.messages = reader->counters().messages;
    report.exchange = reader->counters().exchange;
    report.exchange_why = reader->counters().exchange_why;
    report.verified_chunks = verification.counts().verified;
    report.unverified_chunks = verification.counts().unverified;
    report.verify_bytes_read = verification.counts().bytes_read;
    return report;
  }

  std::vector<FileRange> ranges() const {
    std::vector<FileRange> ranges;
    for (std::size_t i = 0; i < plan_.reads.size(); ++i) {
      if (broadcast_ && !broadcast_->reads(i)) {
        continue;
      }
      const PlannedRead& read = plan_.reads[i];
      const Entry& entry = manifest_.entries.entries[read.entry];
      const StoredPiece piece = manifest_.piece_of(read.entry, read.chunk);
      const std::string path = directory_ + "/" + manifest_.files[piece.file];
      const std::int64_t itemsize = element_size(entry.dtype);
      const std::size_t first = ranges.size();
      for_each_run(
          relative_to(read.box, piece.offsets), piece.sizes,
          [&](std::int64_t element, std::int64_t count) {
            const std::int64_t begin = piece.address + element * itemsize;
            const std::int64_t end = begin + count * itemsize;
            // Pages are asked for: rows that are closer than one are no ranges of their own.
            if (ranges.size() > first &&
                begin - (ranges.back().offset + ranges.back().num_bytes) < default_block_bytes) {
              ranges.back().num_bytes = end - ranges.back().offset;
            } else {
              ranges.push_back({path, begin, end - begin});
            }
          });
    }
    return ranges;
  }

 private:
  /// What reads the files: raw ones never HDF5, HDF5's whatever was asked for.
  Backend backend() const {
    if (options_.foreign) {
      return Backend::posix_shared;
    }
    const bool raw = manifest_.files.front() == raw_entry_file_name;
    if (options_.backend == Backend::null || (raw && options_.backend == Backend::hdf5)) {
      return raw ? Backend::posix_shared : Backend::hdf5;
    }
    return options_.backend;
  }

  Status agree(const Status& local) {
    const ScopedPhase wait(clock_, Phase::wait);
    return comm_.agree(local);
  }

  /// Rank 0 checks the checkpoint; all ranks get what it has read.
  Status open() {
    if (options_.foreign) {
      directory_ = options_.foreign->directory;
      manifest_ = options_.foreign->manifest;
      return {};
    }
    Status opened;
    std::vector<std::byte> bytes;
    if (comm_.is_root()) {
      auto checkpoint = options_.played
                            ? open_played(options_.directory, options_.step, *options_.played)
                            : open_checkpoint(options_.directory, options_.step);
      opened = Status(checkpoint);
      if (checkpoint) {
        auto checksums = read_checksums(checkpoint->directory, checkpoint->manifest);
        opened = Status(checksums);
        if (checksums) {
          checksums_ = std::move(*checksums);
        }
        directory_ = std::move(checkpoint->directory);
        manifest_ = std::move(checkpoint->manifest);
        bytes = std::move(checkpoint->manifest_bytes);
      }
    }
    SHARDMARK_RETURN_IF_ERROR(agree(opened));
    clock_.enter(Phase::metadata);
    comm_.broadcast(directory_);
    comm_.broadcast(bytes);
    Status decoded;
    if (!comm_.is_root()) {
      auto manifest = decode_manifest(bytes);
      decoded = Status(manifest);
      if (manifest) {
        manifest_ = std::move(*manifest);
      }
    }
    if (options_.checksum != ChecksumMode::none) {
      comm_.broadcast(checksums_);
    }
    return agree(decoded);
  }

  /// What this rank asks of storage.
  std::vector<ReadTask> own_reads(const std::vector<ReadTask>& tasks) const {
    if (!broadcast_) {
      return tasks;
    }
    std::vector<ReadTask> own;
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      if (broadcast_->reads(i)) {
        own.push_back(tasks[i]);
      }
    }
    return own;
  }

  /// The third hook: where each planned piece goes.
  Status resolve(std::vector<ReadTask>& tasks) const {
    tasks.reserve(plan_.reads.size());
    for (const PlannedRead& read : plan_.reads) {
      const Entry& entry = manifest_.entries.entries[read.entry];
      const StateDictEntry* target = state_dict_.find(entry.fqn);
      if (target->tensor == nullptr) {
        if (target->mutable_object.size() != target->object.size()) {
          return Error{
              ErrorCode::invalid_argument,
              fmt::format("object '{}' was added as const and cannot be loaded into", entry.fqn)};
        }
        tasks.push_back(
            {&read, contiguous_view(target->mutable_object.data(), Dtype::uint8, entry.sizes)});
        continue;
      }
      SHARDMARK_ASSIGN_OR_RETURN(
          const TensorView shard,
          target->tensor->get_mutable_tensor_shard({entry.fqn, read.source, std::nullopt}));
      Box part = read.box;
      for (int d = 0; d < part.ndim(); ++d) {
        part.offsets[d] -= read.source[d];
      }
      if (shard.dtype != entry.dtype || !contains(whole_box(shard.sizes), part)) {
        return Error{ErrorCode::invalid_argument,
                     fmt::format("'{}': get_tensor_shard gives another box than create_chunk_list",
                                 entry.fqn)};
      }
      tasks.push_back({&read, shard.subview(part)});
    }
    return {};
  }

  const StateDict& state_dict_;
  const LoadOptions& options_;
  const Communicator& comm_;
  PhaseClock& clock_;
  std::string directory_;
  Manifest manifest_;
  std::vector<std::uint64_t> checksums_;
  LoadPlan plan_;
  std::optional<ReplicaBroadcast> broadcast_;  // where no exchange does the same
};

}  // namespace

Result<LoadReport> load(StateDict& state_dict, const LoadOptions& options,
                        const Communicator& comm) {
  PhaseClock clock(Phase::open);
  // What the load held, buffers and threads too, is let go of before its time ends.
  Result<LoadReport> report = Load(state_dict, options, comm, clock).run();
  if (report) {
    report->phases = clock.stop();
    report->events = clock.events();
    report->total_s = report->phases.total_s();
  }
  return report;
}

Result<std::vector<FileRange>> plan_load_ranges(const StateDict& state_dict,
                                                const LoadOptions& options,
                                                const Communicator& comm) {
  PhaseClock clock(Phase::open);
  Load load(state_dict, options, comm, clock);
  SHARDMARK_RETURN_IF_ERROR(load.plan());
  return load.ranges();
}

}  // namespace shardmark
