// SPDX-License-Identifier: Apache-2.0
#include "bench/machine/memory_usage.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>
#include <string>

namespace shardmark::bench {
namespace {

std::optional<std::int64_t> own_status_bytes(std::string_view key) {
  std::ifstream file("/proc/self/status");
  std::ostringstream text;
  text << file.rdbuf();
  return parse_status_bytes(text.str(), key);
}

}  // namespace

std::optional<std::int64_t> parse_status_bytes(std::string_view status_text, std::string_view key) {
  const std::string wanted = fmt::format("{}:", key);
  std::size_t at = status_text.starts_with(wanted) ? 0 : status_text.find("\n" + wanted);
  if (at == std::string_view::npos) {
    return std::nullopt;
  }
  at = status_text.find_first_of("0123456789\n", status_text.find(':', at));
  if (at == std::string_view::npos) {
    return std::nullopt;
  }
  std::int64_t kibibytes = 0;
  const char* const end = status_text.data() + status_text.size();
  const auto [stop, error] = std::from_chars(status_text.data() + at, end, kibibytes);
  if (error != std::errc() || !std::string_view(stop, end).starts_with(" kB")) {
    return std::nullopt;
  }
  return kibibytes * 1024;
}

PeakMemoryWatch::PeakMemoryWatch() {
  std::ofstream reset("/proc/self/clear_refs");
  reset << "5" << std::flush;
  if (reset) {
    resident_before_ = own_status_bytes("VmRSS");
  }
}

std::optional<std::int64_t> PeakMemoryWatch::peak_bytes() const {
  const auto peak = own_status_bytes("VmHWM");
  if (!peak || !resident_before_) {
    return std::nullopt;
  }
  return std::max<std::int64_t>(0, *peak - *resident_before_);
}

}  // namespace shardmark::bench
