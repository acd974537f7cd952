// SPDX-License-Identifier: Apache-2.0
#include "bench/ceiling/ceiling_kind.hpp"

#include <array>

namespace shardmark::bench {
namespace {

constexpr std::int64_t mebibyte = std::int64_t{1} << 20;
constexpr std::array<std::int64_t, 3> piece_sizes = {mebibyte, 4 * mebibyte, 16 * mebibyte};

}  // namespace

std::string_view ceiling_layer_name(CeilingLayer layer) noexcept {
  constexpr std::array<std::string_view, 5> names = {"memcpy", "posix-per-rank", "posix-shared",
                                                     "mpi-io", "bare-hdf5"};
  return names[static_cast<std::size_t>(layer)];
}

std::string ceiling_variant(const CeilingKind& kind) {
  std::string text(ceiling_layer_name(kind.layer));
  if (kind.is_posix()) {
    text += kind.o_direct ? "-direct" : "-buffered";
  }
  return text + (kind.saves ? "-save" : "-load");
}

std::vector<CeilingKind> ceiling_kinds() {
  std::vector<CeilingKind> kinds;
  for (const bool saves : {true, false}) {
    kinds.push_back({CeilingLayer::memcpy, saves, false});
    for (const CeilingLayer layer : {CeilingLayer::posix_per_rank, CeilingLayer::posix_shared}) {
      kinds.push_back({layer, saves, true});
      kinds.push_back({layer, saves, false});
    }
    kinds.push_back({CeilingLayer::mpi_io, saves, false});
    kinds.push_back({CeilingLayer::bare_hdf5, saves, false});
  }
  return kinds;
}

std::vector<CeilingOption> ceiling_options(const CeilingKind& kind) {
  std::vector<CeilingOption> options;
  if (kind.layer == CeilingLayer::bare_hdf5) {
    return {{max_ceiling_piece_bytes, 1, false}, {max_ceiling_piece_bytes, 1, true}};
  }
  for (const std::int64_t piece : piece_sizes) {
    if (kind.layer == CeilingLayer::mpi_io) {
      options.push_back({piece, 1, false});
      options.push_back({piece, 1, true});
      continue;
    }
    for (const int threads : {1, 2, 4}) {
      options.push_back({piece, threads, false});
    }
  }
  return options;
}

}  // namespace shardmark::bench
