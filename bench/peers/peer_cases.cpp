// SPDX-License-Identifier: Apache-2.0
#include "bench/peers/peer_cases.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "bench/harness/measure/case_naming.hpp"
#include "bench/harness/watch/watched_operation.hpp"
#include "bench/machine/cache_state.hpp"
#include "bench/peers/peer_engines.hpp"
#include "bench/peers/peer_files.hpp"
#include "bench/peers/peer_parts.hpp"
#include "bench/peers/peer_process.hpp"
#include "shardmark/core/checksum.hpp"
#include "shardmark/storage/posix/file.hpp"

namespace shardmark::bench {
namespace {

namespace fs = std::filesystem;

constexpr std::array<Phase, 1> save_phases = {Phase::write};
constexpr std::array<Phase, 1> load_phases = {Phase::read};
constexpr std::int64_t small_bytes = 64 << 10;
// Where no ceiling of this run has found a better one.
constexpr RawPattern usual_pattern{std::int64_t{16} << 20, 2};
constexpr double report_limit_s = 60;  // at least, for what comes after the operation

Error refused(const std::string& why) {
  return {ErrorCode::io_error, why};
}

class PeerCase final : public BenchmarkCase {
 public:
  PeerCase(CaseDescription description, PeerEngine engine, const Config& config,
           SuiteEnvironment& environment)
      : BenchmarkCase(std::move(description)),
        engine_(std::move(engine)),
        config_(config),
        environment_(environment),
        saves_(this->description().operation == Operation::save) {}

  std::optional<std::string> left_out() const override { return reason_; }
  /// The preparation of a load saves first.
  double own_limit_s() const override { return 7 * limit_s() + 2 * report_limit_s; }

  Status set_up() override {
    SHARDMARK_ASSIGN_OR_RETURN(parts_, peer_parts(config_, environment_));
    // Every rank has scalars and objects; what else it has is a strategy's choice.
    const std::int64_t as_stored =
        parts_.stored_bytes + parts_.stored_bytes / 100 + environment_.comm.size() * small_bytes;
    if (!saves_ && parts_.wanted_bytes > as_stored) {
      return leave_out(
          refused("ranks want replicas, which peers store once and load once: no same bytes"));
    }
    return make_root();
  }

  Status prepare() override {
    SHARDMARK_RETURN_IF_ERROR(make_folder());
    if (!saves_) {
      // Every time, as the ceilings do: one place on a disk is no rate.
      SHARDMARK_RETURN_IF_ERROR(begin(true));
      SHARDMARK_RETURN_IF_ERROR(go());
      SHARDMARK_RETURN_IF_ERROR(finish(true));
    }
    SHARDMARK_RETURN_IF_ERROR(begin(saves_));
    if (!saves_) {
      std::vector<FileRange> ranges;
      for (const std::string& path : to_read_) {
        std::error_code error;
        const auto length = fs::file_size(path, error);
        ranges.push_back({path, 0, error ? 0 : static_cast<std::int64_t>(length)});
      }
      cold_ = cache_state(ranges, config_.run.cold_read, environment_.comm);
    }
    if (!engine_.o_direct && (saves_ || config_.run.cold_read)) {
      environment_.free_memory.touch(parts_.num_bytes);
    }
    return {};
  }

  Status operate() override { return go(); }
  std::optional<double> own_seconds() const override { return times_.total_s(); }

  Status check(Measurement& measurement) override {
    SHARDMARK_RETURN_IF_ERROR(finish(saves_));
    measurement.phase_list =
        saves_ ? std::span<const Phase>(save_phases) : std::span<const Phase>(load_phases);
    measurement.phases = times_;
    measurement.events = events_;
    measurement.done_elsewhere = true;
    measurement.peak_memory_bytes = report_.peak_memory_bytes;
    measurement.num_bytes = parts_.stored_bytes;
    measurement.balanced_bytes = parts_.num_bytes;
    measurement.own_s = report_.own_s;
    measurement.metrics["limit_s"] = limit_s();
    if (report_.piece_bytes && report_.threads) {
      measurement.metrics["piece_bytes"] = static_cast<double>(*report_.piece_bytes);
      measurement.metrics["threads"] = static_cast<double>(*report_.threads);
    }
    if (saves_) {
      measurement.returned_s = report_.returned_s.value_or(times_.total_s());
      measurement.durable_s = times_.total_s();
      measurement.inventory = inventory_;
      measurement.metrics["sync_seen"] = sync_seen_ ? 1 : 0;
      return remove_folder();
    }
    measurement.cold = cold_;
    const std::int64_t unverified = report_.verified.value_or(false) ? 0 : 1;
    if (environment_.comm.all_reduce(unverified, MPI_MAX) == 0) {
      measurement.verified = true;
    }
    return {};
  }

  Status tear_down() override {
    process_ = {};
    Status removed;
    if (environment_.comm.is_root() && !root_.empty()) {
      std::error_code error;
      fs::remove_all(root_, error);
      removed = error ? Status(errno_error("cannot remove", root_, error.value())) : Status();
    }
    return environment_.comm.agree(removed);
  }

 private:
  double limit_s() const {
    return deadline_s(config_.peers.limit, ExpectedTime().of(description().planned_bytes));
  }
  std::string folder() const { return root_ + "/files"; }

  /// As the ceiling of the same files moves them: else the two would tell of patterns, not
  /// programs.
  RawPattern raw_pattern(bool saves) const {
    const auto& known = environment_.raw_patterns;
    const auto found =
        known.find(fmt::format("{}/posix-per-rank-{}-{}", description().ceiling_group,
                               engine_.o_direct ? "direct" : "buffered", saves ? "save" : "load"));
    return found == known.end() ? usual_pattern : found->second;
  }

  /// Collective: what one rank could not is everybody's reason.
  Status together(const Status& local) {
    environment_.comm.quiet_barrier();
    const Status agreed = environment_.comm.agree(local);
    return agreed ? agreed : leave_out(agreed.error());
  }

  Status leave_out(const Error& why) {
    reason_ = why.rank > 0 ? fmt::format("rank {}: {}", why.rank, why.message) : why.message;
    process_ = {};
    return why;
  }

  /// Collective. Ours, so a failure here is no reason to leave out anything.
  Status make_root() {
    std::string process = fmt::format("{}", ::getpid());
    environment_.comm.broadcast(process);
    const std::uint64_t hash = xxh3(std::as_bytes(std::span(description().name)));
    const std::string run = environment_.checkpoints.folder_of(config_.storage.directory);
    root_ = fs::absolute(fmt::format("{}/.shardmark-peer-{}-{:016x}", run, process, hash)).string();
    return make(root_);
  }
  Status make_folder() {
    SHARDMARK_RETURN_IF_ERROR(remove_folder());
    return make(folder());
  }
  Status make(const std::string& path) const {
    Status made;
    std::error_code error;
    if (environment_.comm.is_root() && !fs::create_directory(path, error)) {
      made = errno_error("cannot make", path, error.value());
    }
    return environment_.comm.agree(made);
  }
  Status remove_folder() const {
    Status removed;
    std::error_code error;
    if (environment_.comm.is_root() &&
        fs::remove_all(folder(), error) == static_cast<std::uintmax_t>(-1)) {
      removed = errno_error("cannot remove", folder(), error.value());
    }
    return environment_.comm.agree(removed);
  }

  /// Collective. The adapter of every rank has done everything before the operation.
  Status begin(bool saves) {
    const Communicator& comm = environment_.comm;
    const std::string meeting = fmt::format("{}/meeting-{}", root_, ++num_begun_);
    const RawPattern pattern = raw_pattern(saves);
    return together([&]() -> Status {
      SHARDMARK_ASSIGN_OR_RETURN(std::vector<std::string> words, adapter_words(engine_));
      SHARDMARK_ASSIGN_OR_RETURN(process_,
                                 PeerProcess::start(std::move(words), peer_environment()));
      const PeerRequest request{.saves = saves,
                                .rank = comm.rank(),
                                .ranks = comm.size(),
                                .nodes = environment_.topology.num_nodes(),
                                .program = engine_.program,
                                .directory = folder(),
                                .num_bytes = parts_.num_bytes,
                                .meeting = meeting,
                                .piece_bytes = pattern.piece_bytes,
                                .threads = pattern.threads,
                                .parts = parts_.parts};
      SHARDMARK_RETURN_IF_ERROR(process_.say(request_line(request), limit_s()));
      SHARDMARK_ASSIGN_OR_RETURN(const std::string line, process_.hear(limit_s()));
      SHARDMARK_ASSIGN_OR_RETURN(to_read_, parse_ready(line));
      return {};
    }());
  }

  /// Collective. The operation, by our clock.
  Status go() {
    PhaseClock clock(saves_ ? Phase::write : Phase::read);
    const Status done = [&]() -> Status {
      SHARDMARK_RETURN_IF_ERROR(process_.say(R"({"state": "go"})", limit_s()));
      SHARDMARK_ASSIGN_OR_RETURN(const std::string line, process_.hear(limit_s()));
      return parse_done(line);
    }();
    times_ = clock.stop();
    events_ = clock.events();
    return together(done);
  }

  /// Collective. What the adapters report, held against what lies there.
  Status finish(bool saved) {
    Status synced = saved && environment_.comm.is_root() ? look_at_files() : Status();
    Status good = [&]() -> Status {
      SHARDMARK_ASSIGN_OR_RETURN(const std::string line,
                                 process_.hear(std::max(report_limit_s, limit_s())));
      SHARDMARK_ASSIGN_OR_RETURN(report_, parse_report(line));
      SHARDMARK_RETURN_IF_ERROR(process_.finish(report_limit_s));
      if (report_.num_bytes < parts_.num_bytes) {
        return refused(
            fmt::format("it moved {} bytes, it was told {}", report_.num_bytes, parts_.num_bytes));
      }
      if (saved && !report_.synced.value_or(false)) {
        return refused("it does not sync what it writes");
      }
      return {};
    }();
    return together(synced ? good : synced);
  }

  /// Local, rank 0, right after the operation. Bytes and syncs by the file system's own word.
  Status look_at_files() {
    SHARDMARK_ASSIGN_OR_RETURN(const PeerFiles files, files_below(folder()));
    inventory_ = {static_cast<std::int64_t>(files.paths.size()), files.num_bytes, 0};
    const std::int64_t there = std::min(files.num_bytes, files.data_bytes);
    if (there < parts_.stored_bytes) {
      return refused(fmt::format("it wrote {} bytes, it was told {}", there, parts_.stored_bytes));
    }
    sync_seen_ = true;
    for (const std::string& path : files.paths) {
      const auto unsynced = unsynced_bytes(path);
      sync_seen_ = sync_seen_ && unsynced.has_value();
      if (unsynced.value_or(0) > 0) {
        return refused(
            fmt::format("it does not sync what it writes: {} bytes of {} were in memory alone",
                        *unsynced, fs::path(path).filename().string()));
      }
    }
    return {};
  }

  PeerEngine engine_;
  Config config_;
  SuiteEnvironment& environment_;
  bool saves_;
  std::optional<std::string> reason_;
  PeerParts parts_;
  std::string root_;
  int num_begun_ = 0;
  PeerProcess process_;
  std::vector<std::string> to_read_;
  CacheReport cold_;
  PhaseTimes times_;
  std::vector<PhaseEvent> events_;
  PeerReport report_;
  DiskInventory inventory_;
  bool sync_seen_ = false;
};

CaseDescription describe(const PeerEngine& engine, Operation operation, const SweepCase& point,
                         const SuiteEnvironment& environment) {
  CaseDescription description = describe_ceiling_case(
      peers_family, fmt::format("{}-{}", engine.name, operation_name(operation)), point,
      environment);
  description.operation = operation;
  description.keys["engine"] = engine.name;
  description.keys["operation"] = operation_name(operation);
  description.skipped = engine.missing;
  return description;
}

}  // namespace

CaseMaker peer_cases(SuiteEnvironment& environment) {
  using Found = Result<std::vector<PeerEngine>>;
  const auto found = std::make_shared<std::map<std::map<std::string, std::string>, Found>>();
  return [&environment, found](const SweepCase& point) {
    const auto programs = named_programs(point.config);
    auto known = found->find(programs);
    if (known == found->end()) {
      known = found->emplace(programs, find_engines(programs, environment.comm)).first;
    }
    std::vector<PeerEngine> engines;
    if (known->second) {
      engines = *known->second;
    } else {
      engines.push_back({.name = "none", .missing = known->second.error().message});
    }
    Cases cases;
    for (const PeerEngine& engine : engines) {
      for (const auto& [does, operation] :
           {std::pair(engine.saves, Operation::save), std::pair(engine.loads, Operation::load)}) {
        if (does) {
          cases.push_back(std::make_unique<PeerCase>(
              describe(engine, operation, point, environment), engine, point.config, environment));
        }
      }
    }
    return cases;
  };
}

}  // namespace shardmark::bench
