// SPDX-License-Identifier: Apache-2.0
#include "bench/ceiling/ceiling_cases.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <utility>

#include "bench/ceiling/ceiling_kind.hpp"
#include "bench/ceiling/ceiling_setting.hpp"
#include "bench/harness/measure/case_naming.hpp"
#include "bench/machine/cache_state.hpp"
#include "shardmark/core/checksum.hpp"

namespace shardmark::bench {
namespace {

constexpr std::array<Phase, 1> memory_phases = {Phase::stage};
constexpr std::array<Phase, 2> save_ceiling_phases = {Phase::write, Phase::flush};
constexpr std::array<Phase, 1> load_ceiling_phases = {Phase::read};

constexpr std::int64_t no_limit = std::numeric_limits<std::int64_t>::max();
// Bytes a rank that one trial of the set-up moves at most.
constexpr std::int64_t trial_bytes = std::int64_t{256} << 20;
// The fastest of the first round are tried again, so that one lucky moment decides nothing.
constexpr std::size_t finalists = 3;

CaseDescription describe(const CeilingKind& kind, const SweepCase& point,
                         const SuiteEnvironment& environment) {
  CaseDescription description =
      describe_ceiling_case(ceiling_family, ceiling_variant(kind), point, environment);
  description.keys["ceiling"] = ceiling_layer_name(kind.layer);
  description.operation = kind.saves ? Operation::save : Operation::load;
  description.keys["operation"] = operation_name(description.operation);
  description.keys["o_direct"] = kind.o_direct ? "true" : "false";
  return description;
}

std::int64_t total_bytes(std::span<const CeilingPiece> pieces) {
  std::int64_t sum = 0;
  for (const CeilingPiece& piece : pieces) {
    sum += piece.num_bytes;
  }
  return sum;
}

class CeilingCase final : public BenchmarkCase {
 public:
  CeilingCase(CaseDescription description, const CeilingKind& kind, const Config& config,
              std::shared_ptr<CeilingSetting> setting, SuiteEnvironment& environment)
      : BenchmarkCase(std::move(description)),
        kind_(kind),
        drops_cache_(config.run.cold_read),
        verifies_(config.run.verify != "none"),
        setting_(std::move(setting)),
        environment_(environment) {}

  Status set_up() override {
    SHARDMARK_RETURN_IF_ERROR(setting_->enter());
    entered_ = true;
    if (!kind_.saves && uses_files()) {
      SHARDMARK_RETURN_IF_ERROR(setting_->prepare_load_files(kind_));
    }
    return choose_option();
  }

  Status prepare() override {
    seed_ = kind_.saves ? seed_ + 1 : CeilingSetting::load_seed;
    if (!kind_.saves && uses_files()) {
      SHARDMARK_RETURN_IF_ERROR(setting_->renew_load_files(kind_, option_));
    }
    setting_->fill(seed_);
    setting_->memory().poison();
    return ready_files(no_limit);
  }

  Status operate() override {
    PhaseClock clock(phase_list().front());
    const auto pieces = setting_->pieces(kind_, option_, no_limit);
    Status moved = setting_->move(kind_, option_, stem(), pieces, clock);
    times_ = clock.stop();
    events_ = clock.events();
    return moved;
  }

  Status check(Measurement& measurement) override {
    measurement.phase_list = phase_list();
    measurement.phases = times_;
    measurement.events = events_;
    const auto pieces = setting_->pieces(kind_, option_, no_limit);
    const std::int64_t own_bytes = total_bytes(pieces);
    measurement.num_bytes = environment_.comm.all_reduce(own_bytes, MPI_SUM);
    measurement.balanced_bytes = own_bytes;
    if (uses_files()) {
      (kind_.saves ? measurement.bytes_written : measurement.bytes_read) = own_bytes;
      (kind_.saves ? measurement.write_requests : measurement.read_requests) =
          static_cast<std::int64_t>(pieces.size());
    }
    if (!kind_.saves && uses_files()) {
      measurement.cold = cold_;
    }
    measurement.metrics["piece_bytes"] = static_cast<double>(option_.piece_bytes);
    measurement.metrics["threads"] = option_.threads;
    measurement.metrics["collective"] = option_.collective ? 1 : 0;
    if (verifies_) {
      SHARDMARK_RETURN_IF_ERROR(environment_.comm.agree(verify(pieces)));
      measurement.verified = true;
    }
    return kind_.saves && uses_files()
               ? setting_->folder().remove(stem(), kind_.sharing(), environment_.comm)
               : Status();
  }

  Status tear_down() override { return entered_ ? setting_->leave() : Status(); }

 private:
  bool uses_files() const noexcept { return kind_.layer != CeilingLayer::memcpy; }
  std::string stem() const { return kind_.saves ? "save" : CeilingSetting::load_stem(kind_); }

  std::span<const Phase> phase_list() const {
    if (!uses_files()) {
      return memory_phases;
    }
    return kind_.saves ? std::span<const Phase>(save_ceiling_phases)
                       : std::span<const Phase>(load_ceiling_phases);
  }

  /// Collective. Empty files for a save; a cold cache for a load; memory for what is cached.
  Status ready_files(std::int64_t limit) {
    if (!uses_files()) {
      return {};
    }
    const auto pieces = setting_->pieces(kind_, option_, limit);
    if (kind_.saves) {
      SHARDMARK_RETURN_IF_ERROR(ready_to_save());
    } else {
      SHARDMARK_RETURN_IF_ERROR(ready_to_load());
      make_cold(pieces);
    }
    if (!kind_.o_direct && (kind_.saves || drops_cache_)) {
      environment_.free_memory.touch(total_bytes(pieces));
    }
    return {};
  }

  /// Collective.
  Status ready_to_save() const {
    const CeilingFolder& folder = setting_->folder();
    const Communicator& comm = environment_.comm;
    if (kind_.layer == CeilingLayer::bare_hdf5) {
      return folder.ask_to_make(stem(), comm);
    }
    SHARDMARK_RETURN_IF_ERROR(folder.reserve(stem(), kind_.sharing(), setting_->shares(), comm));
    return kind_.opens_through_mpi() ? folder.ask_to_open(stem(), O_WRONLY, comm) : Status();
  }

  /// Collective.
  Status ready_to_load() const {
    return kind_.opens_through_mpi()
               ? setting_->folder().ask_to_open(stem(), O_RDONLY, environment_.comm)
               : Status();
  }

  /// Collective.
  void make_cold(std::span<const CeilingPiece> pieces) {
    const auto paths = setting_->folder().files(stem(), kind_.sharing(), environment_.comm.size());
    std::vector<FileRange> ranges;
    for (const CeilingPiece& piece : pieces) {
      ranges.push_back({paths[piece.file], piece.offset, piece.num_bytes});
    }
    cold_ = cache_state(ranges, drops_cache_, environment_.comm);
  }

  /// Collective. What the target holds after a load; a save is read back into it first.
  Status verify(std::span<const CeilingPiece> pieces) {
    if (kind_.saves && uses_files()) {
      CeilingKind back = kind_;
      back.saves = false;
      PhaseClock clock(Phase::read);
      SHARDMARK_RETURN_IF_ERROR(setting_->move(back, option_, stem(), pieces, clock));
    }
    return setting_->memory().compare(pieces);
  }

  /// Collective. Tries every option, the fastest of them again, and keeps the one that was fastest
  /// at its best.
  Status choose_option() {
    std::vector<std::pair<double, CeilingOption>> tried;
    setting_->fill(CeilingSetting::load_seed);
    for (const CeilingOption& option : ceiling_options(kind_)) {
      SHARDMARK_ASSIGN_OR_RETURN(const double seconds, try_option(option));
      tried.emplace_back(seconds, option);
    }
    const auto by_time = [](const auto& a, const auto& b) { return a.first < b.first; };
    std::stable_sort(tried.begin(), tried.end(), by_time);
    tried.resize(std::min(tried.size(), finalists));
    for (auto& [best, option] : tried) {
      SHARDMARK_ASSIGN_OR_RETURN(const double seconds, try_option(option));
      best = std::min(best, seconds);
    }
    option_ = std::min_element(tried.begin(), tried.end(), by_time)->second;
    if (kind_.is_posix()) {
      environment_.raw_patterns[description().ceiling_group + "/" + ceiling_variant(kind_)] = {
          option_.piece_bytes, option_.threads};
    }
    return {};
  }

  /// Collective. Seconds of the slowest rank, the same on all.
  Result<double> try_option(const CeilingOption& option) {
    option_ = option;
    SHARDMARK_RETURN_IF_ERROR(ready_files(trial_bytes));
    const auto pieces = setting_->pieces(kind_, option, trial_bytes);
    environment_.comm.barrier();
    PhaseClock clock(Phase::write);
    const Status moved = setting_->move(kind_, option, stem(), pieces, clock);
    const double own_s = clock.stop().total_s();
    SHARDMARK_RETURN_IF_ERROR(environment_.comm.agree(moved));
    return environment_.comm.all_reduce(own_s, MPI_MAX);
  }

  CeilingKind kind_;
  bool drops_cache_ = true;
  bool verifies_ = true;
  std::shared_ptr<CeilingSetting> setting_;
  SuiteEnvironment& environment_;
  bool entered_ = false;
  CeilingOption option_;
  std::uint64_t seed_ = 0;
  CacheReport cold_;
  PhaseTimes times_;
  std::vector<PhaseEvent> events_;
};

}  // namespace

CaseMaker ceiling_cases(SuiteEnvironment& environment) {
  const auto memory = std::make_shared<SharedCeilingMemory>();
  std::string process = fmt::format("{}", ::getpid());
  environment.comm.broadcast(process);
  return [&environment, memory, process](const SweepCase& point) {
    Cases cases;
    std::shared_ptr<CeilingSetting> setting;
    for (const CeilingKind& kind : ceiling_kinds()) {
      CaseDescription description = describe(kind, point, environment);
      if (!setting) {
        const std::uint64_t hash = xxh3(std::as_bytes(std::span(description.ceiling_group)));
        setting = std::make_shared<CeilingSetting>(
            point.config, environment, fmt::format("{}-{:016x}", process, hash), memory);
      }
      cases.push_back(std::make_unique<CeilingCase>(std::move(description), kind, point.config,
                                                    setting, environment));
    }
    return cases;
  };
}

}  // namespace shardmark::bench
