// SPDX-License-Identifier: Apache-2.0
#include "shardmark/checkpoint/save_protocol.hpp"

#include <fmt/format.h>

#include <array>

#include "shardmark/checkpoint/mpi_plan_exchange.hpp"
#include "shardmark/checkpoint/plan_phase.hpp"
#include "shardmark/checkpoint/playable.hpp"
#include "shardmark/plan/save/save_planner.hpp"
#include "shardmark/storage/contract/agree_waiting.hpp"
#include "shardmark/storage/contract/storage_writer.hpp"
#include "shardmark/storage/directory/committed_steps.hpp"
#include "shardmark/storage/directory/owner_record.hpp"
#include "shardmark/storage/directory/partial_checkpoint.hpp"
#include "shardmark/storage/directory/played_steps.hpp"
#include "shardmark/storage/directory/same_folder.hpp"
#include "shardmark/storage/hdf5/library/hdf5_state.hpp"
#include "shardmark/storage/posix/file_stripes.hpp"
#include "shardmark/storage/posix/space.hpp"

namespace shardmark {
namespace {

/// One save on one rank, from the first check to the report.
class Save final : public SaveProtocol {
 public:
  Save(const SaveOptions& options, const Communicator& comm)
      : options_(options),
        comm_(comm),
        writer_(make_storage_writer(options.storage, comm, clock_)) {}

  Status begin(const StateDict& state_dict) override {
    state_dict_ = &state_dict;
    SHARDMARK_RETURN_IF_ERROR(check_can_be_played(options_, comm_.size()));
    if (stores()) {
      // Before anything costs time: a step that exists, a directory that cannot be.
      SHARDMARK_RETURN_IF_ERROR(on_root(Phase::create, [this]() -> Status {
        SHARDMARK_RETURN_IF_ERROR(make_checkpoint_root(options_.directory));
        SHARDMARK_RETURN_IF_ERROR(check_can_set_stripes(
            options_.directory, options_.storage.stripe_bytes, options_.storage.stripe_count));
        return options_.played ? check_played_is_new(options_.directory, options_.step)
                               : check_step_is_new(options_.directory, options_.step);
      }));
    }
    SHARDMARK_RETURN_IF_ERROR(plan());
    clock_.enter(Phase::write);
    return comm_.agree(resolve_all());
  }

  std::span<WriteTask> tasks() override { return tasks_; }

  Status write_first(std::size_t count) override {
    if (comm_.all_reduce(static_cast<std::int64_t>(count), MPI_MAX) == 0) {
      return {};
    }
    SHARDMARK_RETURN_IF_ERROR(create());
    clock_.enter(Phase::write);
    num_written_ = count;
    return writer_->write_part(std::span(tasks_).first(count));
  }

  Status complete() override {
    if (!created_) {
      SHARDMARK_RETURN_IF_ERROR(create());
    }
    clock_.enter(Phase::write);
    SHARDMARK_RETURN_IF_ERROR(writer_->write(std::span(tasks_).subspan(num_written_)));
    clock_.enter(Phase::flush);
    SHARDMARK_RETURN_IF_ERROR(writer_->flush());
    SHARDMARK_ASSIGN_OR_RETURN(file_hashes_, writer_->hash_data_files());
    SHARDMARK_RETURN_IF_ERROR(commit());
    share_outcome();
    return {};
  }

  /// After an agreed failure: rank 0 removes what is there, and nobody leaves before it is gone.
  void abandon() override {
    writer_.reset();  // nothing may be at work in what is removed
    if (partial_) {
      partial_->abandon();
    }
    // Rank 0 works in HDF5 alone at both ends of a save.
    if (comm_.all_reduce(std::int64_t{hdf5_unusable()}, MPI_MAX) != 0) {
      mark_hdf5_unusable();
    }
  }

  void enter(Phase phase) override { clock_.enter(phase); }

  SaveReport report() override {
    // First of all: what is put together here belongs to no phase, and the step has been durable
    // for as long as it takes.
    report_.phases = clock_.stop();
    report_.step = options_.step;
    report_.layout = manifest_.layout;
    for (const WriteTask& task : tasks_) {
      report_.own_bytes += task.elements.num_bytes();
    }
    report_.bytes_written = writer_->counters().bytes_written;
    report_.write_requests = writer_->counters().write_requests;
    report_.no_collective_cause = writer_->counters().no_collective_cause;
    report_.counters = writer_->counters();
    if (options_.played && !report_.counters.exchange.empty()) {
      report_.counters.exchange_why = "some ranks of a bigger world are played";
    }
    report_.metadata_calls = hdf5_metadata_calls() - calls_before_;
    if (options_.storage.io == IoMode::collective) {
      for (const Entry& entry : planning_.entries->entries) {
        report_.fqns.push_back(entry.fqn);
      }
    }
    report_.events = clock_.events();
    if (planning_.global) {
      planning_.global->ensure_statistics();
      report_.statistics = planning_.global->statistics;
    }
    report_.returned_s = report_.phases.total_s();
    // The caller of a synchronous save goes on when every rank knows that the step is durable.
    report_.durable_s = report_.returned_s;
    return std::move(report_);
  }

 private:
  /// Local. Elements and objects on disk, replicas once; of what is played rank 0 alone knows it.
  std::int64_t stored_bytes() const {
    if (options_.played) {
      return planning_.global ? planning_.global->statistics.num_bytes : 0;
    }
    std::int64_t num_bytes = 0;
    for (const Entry& entry : planning_.entries->entries) {
      num_bytes += entry.num_bytes();
    }
    return num_bytes;
  }

  bool stores() const noexcept { return !traits_of(options_.storage.backend).discards; }

  /// Runs `action` on rank 0 in `phase`; its status everywhere.
  template <typename Action>
  Status on_root(Phase phase, const Action& action) {
    Status local;
    if (comm_.is_root()) {
      clock_.enter(phase);
      local = action();
    }
    clock_.enter(Phase::wait);
    return comm_.agree(local);
  }

  Status plan() {
    std::optional<NodeTopology> topology;
    if (planner_traits(options_.planner).asks_for_nodes) {
      clock_.enter(Phase::gather);
      topology = NodeTopology::discover(comm_);
    }
    MpiPlanExchange exchange(comm_, topology ? &*topology : nullptr);
    std::unique_ptr<SavePlanner> own;
    SavePlanner* planner = options_.kept_planner;
    if (planner == nullptr) {
      own = options_.played
                ? make_played_save_planner(options_.planner, options_.dedup, *options_.played)
                : make_save_planner(options_.planner, options_.dedup);
      planner = own.get();
    }
    SHARDMARK_ASSIGN_OR_RETURN(
        planning_,
        planner->plan({.state_dict_of = [this](int) { return state_dict_; },
                       .exchange = exchange,
                       .take =
                           [this](int, std::shared_ptr<const SavePlan> plan) {
                             plan_ = std::move(plan);
                             return Status();
                           },
                       .on_step = [this](PlanStep step) { clock_.enter(phase_of(step)); }}));
    return {};
  }

  /// One file of whole tensors needs owners only to put side by side what one rank writes, which is
  /// of use where tensors are mostly one chunk; all else asks whose file a chunk lies in.
  bool needs_owners() const {
    const bool hdf5_or_null = traits_of(options_.storage.backend).has_file_layouts || !stores();
    const bool mostly_whole = manifest_.chunks.size() <= 2 * manifest_.entries.entries.size();
    return options_.storage.layout != FileLayout::shared || !hdf5_or_null ||
           (stores() && mostly_whole);
  }

  /// What a load would refuse is never written.
  Status take_published_dtypes() {
    for (const auto& [fqn, name] : options_.published_dtypes) {
      const auto entry = manifest_.entries.find(fqn);
      if (!entry) {
        continue;
      }
      if (manifest_.entries.entries[*entry].kind != EntryKind::tensor) {
        return Error{ErrorCode::invalid_argument,
                     fmt::format("published_dtypes: '{}' is an object, expected a tensor", fqn)};
      }
      if (!is_published_dtype(name)) {
        return Error{
            ErrorCode::invalid_argument,
            fmt::format("published_dtypes: '{}' has '{}', expected a name of 1 to 64 bytes", fqn,
                        name)};
      }
      manifest_.published_dtypes[*entry] = name;
    }
    return {};
  }

  Status create() {
    created_ = true;
    manifest_.step = options_.step;
    manifest_.seed = options_.seed;
    manifest_.world_size = options_.played ? options_.played->world.world_size : comm_.size();
    manifest_.checksum = options_.storage.checksum;
    std::string path;
    SHARDMARK_RETURN_IF_ERROR(on_root(Phase::create, [&]() -> Status {
      manifest_.save_id = make_save_id(options_.save_id_prefix);
      manifest_.entries = planning_.global->entries;
      manifest_.chunks = planning_.global->chunks;
      SHARDMARK_RETURN_IF_ERROR(take_published_dtypes());
      if (needs_owners()) {
        planning_.global->ensure_owners();
      }
      if (stores()) {
        SHARDMARK_ASSIGN_OR_RETURN(
            partial_, PartialCheckpoint::begin(options_.directory, options_.step, manifest_.save_id,
                                               {options_.storage.traits.silent_limit_s}));
        path = partial_->path();
        // Whoever makes a file in it, and however.
        return set_stripes(path, options_.storage.stripe_bytes, options_.storage.stripe_count);
      }
      return {};
    }));
    clock_.enter(Phase::create);
    comm_.broadcast(path);
    SHARDMARK_RETURN_IF_ERROR(check_place(path));
    return writer_->create({path, planning_.entries.get(), plan_.get(),
                            planning_.global ? &*planning_.global : nullptr, &manifest_,
                            options_.kept_entry_file, options_.played.has_value()});
  }

  /// Before any rank reserves: the folder is the same everywhere, and has room.
  Status check_place(const std::string& path) {
    if (!stores()) {
      return {};
    }
    std::string host = own_record().host;
    comm_.broadcast(host);
    Status fits = check_same_folder(path, host);
    if (fits && (!options_.played || comm_.is_root())) {
      const std::int64_t num_bytes = stored_bytes();
      // COMMIT, the entry file, and at most a file a rank.
      fits = check_free_space(path, num_bytes,
                              options_.storage.layout == FileLayout::per_rank ||
                                      options_.storage.backend == Backend::posix
                                  ? comm_.size() + 2
                                  : 3);
    }
    return agree_waiting(fits, clock_, comm_);
  }

  Status resolve_all() {
    tasks_.reserve(plan_->writes.size());
    Status resolved;
    for (const PlannedWrite& planned : plan_->writes) {
      auto elements = resolve(planned);
      if (!elements) {
        resolved = Status(elements);
        break;
      }
      tasks_.push_back({&planned, *elements});
    }
    return resolved;
  }

  /// The elements behind a planned write: the third hook, narrowed to the part that is written.
  Result<ConstTensorView> resolve(const PlannedWrite& planned) const {
    const Entry& entry = planning_.entries->entries[planned.entry];
    const StateDictEntry* found = state_dict_->find(entry.fqn);
    if (found == nullptr) {
      return Error{ErrorCode::internal,
                   "planned entry '" + entry.fqn + "' is not in the state dict"};
    }
    if (found->tensor == nullptr) {
      return contiguous_view(found->object.data(), Dtype::uint8, entry.sizes);
    }
    SHARDMARK_ASSIGN_OR_RETURN(
        const ConstTensorView shard,
        found->tensor->get_tensor_shard({entry.fqn, planned.source, std::nullopt}));
    Box part = planned.box;
    for (int d = 0; d < part.ndim(); ++d) {
      part.offsets[d] -= planned.source[d];
    }
    if (shard.dtype != entry.dtype || !contains(whole_box(shard.sizes), part)) {
      return Error{
          ErrorCode::invalid_argument,
          "'" + entry.fqn + "': get_tensor_shard gives another box than create_write_items"};
    }
    return shard.subview(part);
  }

  Status commit() {
    return on_root(Phase::commit, [this]() -> Status {
      const std::vector<std::byte> bytes = encode(manifest_);
      report_.inventory.metadata_bytes = static_cast<std::int64_t>(bytes.size());
      SHARDMARK_ASSIGN_OR_RETURN(const StoredManifest stored, writer_->write_manifest(bytes));
      if (!stores()) {
        return {};
      }
      CommitRecord record;
      record.save_id = manifest_.save_id;
      record.step = manifest_.step;
      record.manifest_address = stored.address;
      record.manifest_bytes = static_cast<std::int64_t>(bytes.size());
      file_hashes_.front() = stored.outside_hash;
      std::int64_t file_bytes = 0;
      for (std::size_t i = 0; i < manifest_.files.size(); ++i) {
        SHARDMARK_ASSIGN_OR_RETURN(const std::int64_t size,
                                   file_size(partial_->path() + "/" + manifest_.files[i]));
        record.files.push_back({manifest_.files[i], size, file_hashes_[i]});
        file_bytes += size;
        if (i == 0) {
          const auto striping = striping_of(partial_->path() + "/" + manifest_.files[i]);
          report_.stripes = striping ? striping->main_component(size) : StripeComponent{};
        }
      }
      const std::string mark =
          options_.played
              ? to_text(PlayedMark{options_.played->world, options_.played->parts, record})
              : to_text(record);
      SHARDMARK_ASSIGN_OR_RETURN(
          report_.path, options_.played ? partial_->commit_played({options_.played->world,
                                                                   options_.played->parts, record})
                                        : partial_->commit(record));
      partial_.reset();
      if (options_.played) {
        SHARDMARK_ASSIGN_OR_RETURN(file_bytes, allocated_bytes(report_.path, manifest_.files));
      }
      take_inventory(file_bytes, static_cast<std::int64_t>(mark.size()));
      return {};
    });
  }

  void take_inventory(std::int64_t file_bytes, std::int64_t commit_bytes) {
    Inventory& inventory = report_.inventory;
    inventory.files = static_cast<std::int64_t>(manifest_.files.size()) + 1;
    inventory.num_bytes = file_bytes + commit_bytes;
    inventory.checksum_bytes = manifest_.checksums_address < 0
                                   ? 0
                                   : static_cast<std::int64_t>(8 * manifest_.entries.num_chunks());
    inventory.padding_bytes = file_bytes - stored_bytes() - inventory.metadata_bytes -
                              inventory.checksum_bytes -
                              writer_->layout_counters().library_metadata_bytes;
  }

  void share_outcome() {
    Inventory& i = report_.inventory;
    std::array<std::int64_t, 6> shared = {i.files,          i.num_bytes,      i.padding_bytes,
                                          i.metadata_bytes, i.checksum_bytes, 0};
    shared[5] = options_.played && !comm_.is_root() ? 0 : stored_bytes();
    comm_.all_reduce(shared, MPI_MAX);
    i = {shared[0], shared[1], shared[2], shared[3], shared[4]};
    report_.num_bytes = shared[5];
    comm_.broadcast(report_.path);
  }

  const StateDict* state_dict_ = nullptr;  // in begin() only
  SaveOptions options_;
  const Communicator& comm_;
  PhaseClock clock_{Phase::create};
  SavePlanning planning_;
  std::shared_ptr<const SavePlan> plan_;
  std::vector<WriteTask> tasks_;
  bool created_ = false;
  std::size_t num_written_ = 0;  // of them
  std::int64_t calls_before_ = hdf5_metadata_calls();
  Manifest manifest_;
  std::vector<std::uint64_t> file_hashes_;    // by file, outside elements
  std::optional<PartialCheckpoint> partial_;  // rank 0
  SaveReport report_;
  std::unique_ptr<StorageWriter> writer_;  // last: may be at work on the manifest and the plan
};

}  // namespace

std::unique_ptr<SaveProtocol> make_save_protocol(const SaveOptions& options,
                                                 const Communicator& comm) {
  SaveOptions asked = options;
  if (asked.played && asked.storage.exchange == ExchangeLevel::automatic) {
    // What ranks write together would be full of what nobody has.
    asked.storage.exchange = ExchangeLevel::off;
  }
  return std::make_unique<Save>(asked, comm);
}

}  // namespace shardmark
