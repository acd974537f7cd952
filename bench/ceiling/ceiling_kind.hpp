// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace shardmark::bench {

/// What moves bytes with nothing of a checkpoint around it, the fastest first.
enum class CeilingLayer : std::uint8_t { memcpy, posix_per_rank, posix_shared, mpi_io, bare_hdf5 };

/// Whether ranks have a file each or all the same one.
enum class FileSharing : std::uint8_t { file_a_rank, one_file };

/// "memcpy", "posix-per-rank", "posix-shared", "mpi-io", "bare-hdf5".
std::string_view ceiling_layer_name(CeilingLayer layer) noexcept;

/// One ceiling: a layer, which way, and whether past the page cache.
struct CeilingKind {
  CeilingLayer layer = CeilingLayer::memcpy;
  bool saves = true;      // else it loads
  bool o_direct = false;  // posix layers only

  bool is_posix() const noexcept {
    return layer == CeilingLayer::posix_per_rank || layer == CeilingLayer::posix_shared;
  }
  bool opens_through_mpi() const noexcept {
    return layer == CeilingLayer::mpi_io || layer == CeilingLayer::bare_hdf5;
  }
  FileSharing sharing() const noexcept {
    return layer == CeilingLayer::posix_per_rank ? FileSharing::file_a_rank : FileSharing::one_file;
  }
};

/// "posix-shared-direct-save": the variant of the benchmark's name.
std::string ceiling_variant(const CeilingKind& kind);

/// How a ceiling moves its bytes: the set-up tries all of them and keeps the fastest.
struct CeilingOption {
  std::int64_t piece_bytes = 0;
  int threads = 1;
  bool collective = false;  // MPI-IO and HDF5 only
};

/// Every ceiling, in the order of the waterfall.
std::vector<CeilingKind> ceiling_kinds();
/// Pieces of 1, 4 and 16 MiB by 1, 2 and 4 threads; what a layer has instead of threads.
std::vector<CeilingOption> ceiling_options(const CeilingKind& kind);

/// The largest piece of any option.
inline constexpr std::int64_t max_ceiling_piece_bytes = std::int64_t{64} << 20;

}  // namespace shardmark::bench
