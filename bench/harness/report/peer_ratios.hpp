// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

#include "bench/harness/measure/sample.hpp"
#include "bench/harness/report/case_summary.hpp"

namespace shardmark::bench {

/// Local. Whether it is of another engine.
bool is_peer(const CaseSummary& summary);

/// Local. Fills in, of other engines, own_ratio (their own figure over our clock's time of the same
/// run) and against_ours (their time over that of our fastest case of the same bytes, round by
/// round).
void compare_peers(std::span<CaseSummary> summaries, std::span<const Sample> samples);

/// What may be said of an engine beside ours.
enum class PeerVerdict { none, faster, slower, cannot_tell };

/// Local. "faster", "slower", "cannot tell", or nothing.
std::string_view verdict_name(PeerVerdict verdict) noexcept;

/// Local. None where its own figure and ours are more than a tenth apart, or there are too few
/// rounds.
PeerVerdict peer_verdict(const CaseSummary& peer);

/// Local. Whether an engine's own figure and our clock's time of the same run agree within a tenth.
bool figures_agree(const CaseSummary& peer);

}  // namespace shardmark::bench
