// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/format/storage_options.hpp"

#include <array>

namespace shardmark {
namespace {

constexpr std::array<std::string_view, 5> backends = {"hdf5", "null", "posix", "posix-shared",
                                                      "mpiio"};
constexpr std::array<std::string_view, 7> layouts = {
    "shared", "shared-chunked", "per-rank", "per-node", "groups", "packed", "auto"};
constexpr std::array<std::string_view, 3> io_modes = {"collective", "independent", "direct"};
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

std::string_view backend_name(Backend backend) noexcept {
  return backends[static_cast<std::size_t>(backend)];
}
std::string_view file_layout_name(FileLayout layout) noexcept {
  return layouts[static_cast<std::size_t>(layout)];
}
std::string_view io_mode_name(IoMode mode) noexcept {
  return io_modes[static_cast<std::size_t>(mode)];
}
std::string_view checksum_mode_name(ChecksumMode mode) noexcept {
  return checksum_modes[static_cast<std::size_t>(mode)];
}

std::optional<Backend> backend_from_name(std::string_view name) noexcept {
  return from_name<Backend>(backends, name);
}
std::optional<FileLayout> file_layout_from_name(std::string_view name) noexcept {
  return from_name<FileLayout>(layouts, name);
}
std::optional<IoMode> io_mode_from_name(std::string_view name) noexcept {
  return from_name<IoMode>(io_modes, name);
}
std::optional<ChecksumMode> checksum_mode_from_name(std::string_view name) noexcept {
  return from_name<ChecksumMode>(checksum_modes, name);
}

}  // namespace shardmark
