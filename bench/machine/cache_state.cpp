// SPDX-License-Identifier: Apache-2.0
#include "bench/machine/cache_state.hpp"

#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <utility>

namespace shardmark::bench {
namespace {

/// False on FUSE, whose server may keep pages of its own that this kernel does not show.
bool residency_is_seen(const std::string& path) {
  constexpr long fuse_magic = 0x65735546;
  struct statfs system {};
  return ::statfs(path.c_str(), &system) != 0 || system.f_type != fuse_magic;
}

}  // namespace

std::string_view cache_state_name(CacheState state) noexcept {
  switch (state) {
    case CacheState::client_cold:
      return "client-cold";
    case CacheState::partly_cold:
      return "partly-cold";
    case CacheState::warm:
      return "warm";
    case CacheState::unknown:
      break;
  }
  return "unknown";
}

CacheReport classify(const std::optional<Residency>& residency) {
  if (!residency || residency->pages <= 0) {
    return {};
  }
  const double fraction =
      static_cast<double>(residency->resident_pages) / static_cast<double>(residency->pages);
  if (fraction < 0.01) {
    return {CacheState::client_cold, fraction};
  }
  return {fraction > 0.99 ? CacheState::warm : CacheState::partly_cold, fraction};
}

CacheReport cache_state(std::span<const FileRange> ranges, bool drop, const Communicator& comm) {
  if (drop) {
    // A failure shows as residency, which is what counts.
    static_cast<void>(drop_cached_pages(ranges));
    comm.barrier();  // no rank may look while another still drops pages of the same node
  }
  const bool seen =
      std::ranges::all_of(ranges, [last = std::string()](const FileRange& range) mutable {
        return std::exchange(last, range.path) == range.path || residency_is_seen(range.path);
      });
  const auto own = seen ? page_residency(ranges)
                        : Result<Residency>(Error{ErrorCode::io_error, "it cannot be seen"});
  std::array<std::int64_t, 3> sums = {own ? own->pages : 0, own ? own->resident_pages : 0,
                                      own ? 0 : 1};
  comm.all_reduce(std::span<std::int64_t>(sums), MPI_SUM);
  if (sums[2] != 0) {
    return {};
  }
  return classify(Residency{sums[0], sums[1]});
}

}  // namespace shardmark::bench
