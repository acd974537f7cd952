// SPDX-License-Identifier: Apache-2.0
#include "shardmark/workload/parallel_degrees.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <limits>
#include <string>
#include <vector>

namespace shardmark {
namespace {

constexpr std::int64_t rest_of_world = -1;

struct Degree {
  std::string_view name;
  std::optional<std::int64_t> given;
  bool used = false;
  std::int64_t value = 1;
};

/// The degrees in one row, so that rules run over all of them.
class Derivation {
 public:
  Derivation(StrategyKind kind, const ParallelOptions& options, std::int64_t world_size)
      : kind_(kind), strategy_(options.strategy), world_size_(world_size) {
    dp_replicate().given = options.dp_replicate;
    dp_shard().given = options.dp_shard;
    tp().given = options.tp;
    pp().given = options.pp;
    ep().given = options.ep;
    dp_replicate().used = kind == StrategyKind::ddp || kind == StrategyKind::zero1 ||
                          kind == StrategyKind::hsdp || megatron();
    dp_shard().used = kind == StrategyKind::fsdp || kind == StrategyKind::hsdp ||
                      kind == StrategyKind::fsdp_tp || kind == StrategyKind::flat_fsdp ||
                      kind == StrategyKind::ep;
    tp().used = kind == StrategyKind::fsdp_tp || megatron();
    pp().used = megatron();
    ep().used = kind == StrategyKind::ep;
  }

  Result<ParallelDegrees> derive() {
    SHARDMARK_RETURN_IF_ERROR(check_given());
    if (kind_ == StrategyKind::block_cyclic) {
      return ParallelDegrees{};
    }
    Degree* const rest = choose_rest();
    for (Degree& degree : degrees_) {
      if (degree.used && &degree != rest && &degree != &ep()) {
        degree.value = degree.given ? *degree.given : default_of(degree);
      }
    }
    if (rest != nullptr) {
      const std::int64_t others = product();
      if (others > world_size_ || world_size_ % others != 0) {
        return mismatch(rest);
      }
      rest->value = world_size_ / others;
    }
    if (product() != world_size_) {
      return mismatch(nullptr);
    }
    SHARDMARK_RETURN_IF_ERROR(choose_ep());
    return ParallelDegrees{.dp_replicate = dp_replicate().value,
                           .dp_shard = dp_shard().value,
                           .tp = tp().value,
                           .pp = pp().value,
                           .ep = ep().value};
  }

 private:
  Degree& dp_replicate() { return degrees_[0]; }
  Degree& dp_shard() { return degrees_[1]; }
  Degree& tp() { return degrees_[2]; }
  Degree& pp() { return degrees_[3]; }
  Degree& ep() { return degrees_[4]; }
  bool megatron() const {
    return kind_ == StrategyKind::megatron || kind_ == StrategyKind::megatron_dist;
  }

  /// ep divides dp_shard and is no factor of the world beside it; -1 is all of dp_shard, the
  /// default its largest power of two up to 8.
  Status choose_ep() {
    if (!ep().used) {
      return {};
    }
    std::int64_t& value = ep().value;
    value = ep().given.value_or(1);
    if (value == rest_of_world) {
      value = dp_shard().value;
    }
    while (!ep().given && value < 8 && dp_shard().value % (value * 2) == 0) {
      value *= 2;
    }
    if (dp_shard().value % value != 0) {
      return Error{ErrorCode::invalid_argument,
                   fmt::format("parallel.ep = {}: expected a divisor of dp_shard, which is {}",
                               value, dp_shard().value)};
    }
    return {};
  }

  Status check_given() const {
    std::vector<std::string_view> rests;
    for (const Degree& degree : degrees_) {
      if (!degree.given) {
        continue;
      }
      if (*degree.given < 1 && *degree.given != rest_of_world) {
        return Error{
            ErrorCode::invalid_argument,
            fmt::format("parallel.{} = {}: expected a number from 1 up, or -1 for the rest "
                        "of the world",
                        degree.name, *degree.given)};
      }
      if (degree.used && *degree.given == rest_of_world) {
        rests.push_back(degree.name);
      }
      if (!degree.used && *degree.given > 1) {
        return Error{ErrorCode::invalid_argument,
                     fmt::format("parallel.{} = {}: strategy '{}' does not use it, only {}",
                                 degree.name, *degree.given, strategy_,
                                 kind_ == StrategyKind::block_cyclic ? "grid_rows" : used_names())};
      }
    }
    if (rests.size() > 1) {
      return Error{ErrorCode::invalid_argument,
                   fmt::format("parallel: {} are both -1, but only one degree can be the rest of "
                               "the world",
                               fmt::join(rests, " and "))};
    }
    return {};
  }

  /// The one degree that takes what the others leave, if any: what is said to be -1, else the
  /// strategy's data-parallel degree, else (that one given) the other degree of a pair.
  Degree* choose_rest() {
    for (Degree& degree : degrees_) {
      if (degree.used && degree.given == rest_of_world && &degree != &ep()) {
        return &degree;
      }
    }
    Degree& usual = dp_shard().used ? dp_shard() : dp_replicate();
    if (!usual.given) {
      return &usual;
    }
    Degree& partner = kind_ == StrategyKind::hsdp ? dp_replicate() : tp();
    const bool pair = kind_ == StrategyKind::hsdp || kind_ == StrategyKind::fsdp_tp;
    return pair && !partner.given ? &partner : nullptr;
  }

  std::int64_t default_of(const Degree& degree) {
    std::int64_t open = world_size_;
    for (const Degree& other : degrees_) {
      if (other.used && other.given.value_or(1) > 1 && open % *other.given == 0) {
        open /= *other.given;
      }
    }
    if (kind_ == StrategyKind::hsdp && &degree == &dp_replicate()) {
      return world_size_ % 2 == 0 ? 2 : 1;
    }
    if (&degree == &tp()) {
      std::int64_t power = 1;
      while (power < 8 && open % (power * 2) == 0 &&
             (megatron() || power * 2 <= open / (power * 2))) {
        power *= 2;
      }
      return power;
    }
    return 1;
  }

  /// Saturates above any world, so that absurd degrees cannot overflow.
  std::int64_t product() const {
    std::int64_t result = 1;
    for (const Degree& degree : degrees_) {
      if (__builtin_mul_overflow(result, degree.value, &result)) {
        return std::numeric_limits<std::int64_t>::max();
      }
    }
    return result;
  }

  std::string used_names() const {
    std::vector<std::string_view> names;
    for (const Degree& degree : degrees_) {
      if (degree.used) {
        names.push_back(degree.name);
      }
    }
    return fmt::format("{}", fmt::join(names, ", "));
  }

  Error mismatch(const Degree* rest) const {
    std::vector<std::string> factors;
    for (const Degree& degree : degrees_) {
      if (degree.used && &degree != rest && degree.name != "ep") {
        factors.push_back(fmt::format("{} {}", degree.name, degree.value));
      }
    }
    const std::string shown = fmt::format("{}", fmt::join(factors, " x "));
    return {
        ErrorCode::invalid_argument,
        rest != nullptr
            ? fmt::format("parallel: strategy '{}' on {} ranks: {} does not divide the world, so "
                          "nothing is left for {}",
                          strategy_, world_size_, shown, rest->name)
            : fmt::format("parallel: strategy '{}' on {} ranks: {} = {} ranks; leave one degree "
                          "out or make it -1 to get the rest",
                          strategy_, world_size_, shown, product())};
  }

  StrategyKind kind_;
  std::string_view strategy_;
  std::int64_t world_size_;
  std::array<Degree, 5> degrees_ = {
      {{"dp_replicate", {}}, {"dp_shard", {}}, {"tp", {}}, {"pp", {}}, {"ep", {}}}};
};

}  // namespace

Result<ParallelDegrees> derive_degrees(StrategyKind kind, const ParallelOptions& options,
                                       std::int64_t world_size) {
  return Derivation(kind, options, world_size).derive();
}

}  // namespace shardmark
