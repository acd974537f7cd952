// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace shardmark {

/// Exclusive segments of one save or load on one rank; DESIGN names. A phase is what the calling
/// thread does, so the phases of a rank sum to its total. In an order that is that of saves and
/// that of loads.
enum class Phase : std::uint8_t {
  open,
  metadata,
  hooks,
  local_plan,
  gather,
  global_plan,
  scatter,
  create,
  stage,
  load_plan,
  read,
  exchange,
  verify,
  write,
  flush,
  commit,
  wait,
};

struct PhaseTraits {
  Phase phase;
  std::string_view name;  // the key in every JSON
  bool in_save = false;
  bool in_load = false;
  bool plans_save = false;    // what planning a save alone has
  bool of_all_ranks = false;  // every rank takes part, by itself: what a slow node shows in
};

/// The one list of phases of this program; results/schema.json has the same for all others.
inline constexpr std::array phase_table = {
    PhaseTraits{.phase = Phase::open, .name = "open", .in_load = true},
    PhaseTraits{.phase = Phase::metadata, .name = "metadata", .in_load = true},
    PhaseTraits{.phase = Phase::hooks,
                .name = "hooks",
                .in_save = true,
                .in_load = true,
                .plans_save = true,
                .of_all_ranks = true},
    PhaseTraits{.phase = Phase::local_plan,
                .name = "local_plan",
                .in_save = true,
                .plans_save = true,
                .of_all_ranks = true},
    PhaseTraits{.phase = Phase::gather, .name = "gather", .in_save = true, .plans_save = true},
    PhaseTraits{
        .phase = Phase::global_plan, .name = "global_plan", .in_save = true, .plans_save = true},
    PhaseTraits{.phase = Phase::scatter, .name = "scatter", .in_save = true, .plans_save = true},
    PhaseTraits{.phase = Phase::create, .name = "create", .in_save = true},
    PhaseTraits{.phase = Phase::stage, .name = "stage", .in_save = true, .of_all_ranks = true},
    PhaseTraits{
        .phase = Phase::load_plan, .name = "load_plan", .in_load = true, .of_all_ranks = true},
    PhaseTraits{.phase = Phase::read, .name = "read", .in_load = true, .of_all_ranks = true},
    PhaseTraits{.phase = Phase::exchange, .name = "exchange", .in_save = true, .in_load = true},
    PhaseTraits{.phase = Phase::verify, .name = "verify", .in_load = true, .of_all_ranks = true},
    PhaseTraits{.phase = Phase::write, .name = "write", .in_save = true, .of_all_ranks = true},
    PhaseTraits{.phase = Phase::flush, .name = "flush", .in_save = true, .of_all_ranks = true},
    PhaseTraits{.phase = Phase::commit, .name = "commit", .in_save = true},
    PhaseTraits{
        .phase = Phase::wait, .name = "wait", .in_save = true, .in_load = true, .plans_save = true},
};
inline constexpr std::size_t num_phases = phase_table.size();

/// Those for which a trait holds, in order.
template <bool PhaseTraits::*trait>
constexpr auto phases_where() noexcept {
  constexpr std::size_t count = [] {
    std::size_t n = 0;
    for (const PhaseTraits& traits : phase_table) {
      n += traits.*trait ? 1 : 0;
    }
    return n;
  }();
  std::array<Phase, count> phases{};
  std::size_t next = 0;
  for (const PhaseTraits& traits : phase_table) {
    if (traits.*trait) {
      phases[next++] = traits.phase;
    }
  }
  return phases;
}

inline constexpr auto save_phases = phases_where<&PhaseTraits::in_save>();
inline constexpr auto load_phases = phases_where<&PhaseTraits::in_load>();
inline constexpr auto save_plan_phases = phases_where<&PhaseTraits::plans_save>();

/// "global_plan": the key in every JSON.
std::string_view phase_name(Phase phase) noexcept;

}  // namespace shardmark
