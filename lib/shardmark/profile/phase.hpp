// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace shardmark {

/// Exclusive segments of one save or load on one rank; DESIGN names and order. A phase is what the
/// calling thread does, so the phases of a rank sum to its total.
enum class Phase : std::uint8_t {
  hooks,
  local_plan,
  gather,
  global_plan,
  scatter,
  create,
  stage,
  exchange,
  write,
  flush,
  commit,
  open,
  metadata,
  load_plan,
  read,
  verify,
  wait,
};

inline constexpr std::size_t num_phases = 17;

inline constexpr std::array<Phase, 12> save_phases = {
    Phase::hooks,   Phase::local_plan, Phase::gather, Phase::global_plan,
    Phase::scatter, Phase::create,     Phase::stage,  Phase::exchange,
    Phase::write,   Phase::flush,      Phase::commit, Phase::wait};

inline constexpr std::array<Phase, 8> load_phases = {
    Phase::open, Phase::metadata, Phase::hooks,  Phase::load_plan,
    Phase::read, Phase::exchange, Phase::verify, Phase::wait};

/// "global_plan": the key in every JSON.
std::string_view phase_name(Phase phase) noexcept;

}  // namespace shardmark
