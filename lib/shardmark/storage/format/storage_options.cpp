// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/format/storage_options.hpp"

#include <algorithm>
#include <array>

namespace shardmark {
namespace {

constexpr std::array backends = {
    BackendTraits{.backend = Backend::hdf5, .name = "hdf5", .has_file_layouts = true},
    BackendTraits{.backend = Backend::posix, .name = "posix"},
    BackendTraits{.backend = Backend::posix_shared, .name = "posix-shared"},
    BackendTraits{.backend = Backend::mpiio, .name = "mpiio", .through_mpi_io = true},
    BackendTraits{.backend = Backend::null, .name = "null", .discards = true},
};
constexpr std::array<std::string_view, 7> layouts = {
    "shared", "shared-chunked", "per-rank", "per-node", "groups", "packed", "auto"};
constexpr std::array<std::string_view, 3> io_modes = {"collective", "independent", "direct"};
constexpr std::array<std::string_view, 5> exchange_levels = {"auto", "off", "edges", "node",
                                                             "world"};
constexpr std::array<std::string_view, 3> checksum_modes = {"full", "read", "none"};

template <typename Enum, std::size_t n>
std::optional<Enum> from_name(const std::array<std::string_view, n>& names, std::string_view name) {
  for (std::size_t i = 0; i < n; ++i) {
    if (names[i] == name) {
      return static_cast<Enum>(i);
    }
  }
  return std::nullopt;
}

}  // namespace

std::span<const BackendTraits> backend_table() noexcept {
  return backends;
}
const BackendTraits& traits_of(Backend backend) noexcept {
  return *std::ranges::find(backends, backend, &BackendTraits::backend);
}
std::string_view backend_name(Backend backend) noexcept {
  return traits_of(backend).name;
}
std::string_view file_layout_name(FileLayout layout) noexcept {
  return layouts[static_cast<std::size_t>(layout)];
}
std::string_view io_mode_name(IoMode mode) noexcept {
  return io_modes[static_cast<std::size_t>(mode)];
}
std::string_view exchange_level_name(ExchangeLevel level) noexcept {
  return exchange_levels[static_cast<std::size_t>(level)];
}
std::string_view checksum_mode_name(ChecksumMode mode) noexcept {
  return checksum_modes[static_cast<std::size_t>(mode)];
}

std::optional<Backend> backend_from_name(std::string_view name) noexcept {
  const auto* const found = std::ranges::find(backends, name, &BackendTraits::name);
  return found == backends.end() ? std::nullopt : std::optional(found->backend);
}
std::optional<FileLayout> file_layout_from_name(std::string_view name) noexcept {
  return from_name<FileLayout>(layouts, name);
}
std::optional<IoMode> io_mode_from_name(std::string_view name) noexcept {
  return from_name<IoMode>(io_modes, name);
}
std::optional<ExchangeLevel> exchange_level_from_name(std::string_view name) noexcept {
  return from_name<ExchangeLevel>(exchange_levels, name);
}
std::optional<ChecksumMode> checksum_mode_from_name(std::string_view name) noexcept {
  return from_name<ChecksumMode>(checksum_modes, name);
}

}  // namespace shardmark
