// SPDX-License-Identifier: Apache-2.0
#include "bench/machine/process_io.hpp"

#include <charconv>
#include <fstream>
#include <sstream>
#include <string>

namespace shardmark::bench {
namespace {

std::optional<std::int64_t> value_of(std::string_view text, std::string_view key) {
  // "write_bytes" also ends "cancelled_write_bytes".
  std::size_t at = text.starts_with(key) ? 0 : text.find(std::string("\n").append(key));
  if (at == std::string_view::npos) {
    return std::nullopt;
  }
  at = text.find(':', at);
  at = at == std::string_view::npos ? at : text.find_first_not_of(' ', at + 1);
  std::int64_t value = 0;
  if (at == std::string_view::npos ||
      std::from_chars(text.data() + at, text.data() + text.size(), value).ec != std::errc()) {
    return std::nullopt;
  }
  return value;
}

}  // namespace

std::optional<ProcessIo> parse_process_io(std::string_view text) {
  const auto read = value_of(text, "read_bytes:");
  const auto written = value_of(text, "write_bytes:");
  if (!read || !written) {
    return std::nullopt;
  }
  return ProcessIo{*read, *written};
}

std::optional<ProcessIo> process_io() {
  std::ifstream file("/proc/self/io");
  std::ostringstream text;
  text << file.rdbuf();
  return parse_process_io(text.str());
}

std::optional<ProcessIo> difference(const std::optional<ProcessIo>& after,
                                    const std::optional<ProcessIo>& before) {
  if (!after || !before) {
    return std::nullopt;
  }
  return ProcessIo{after->read_bytes - before->read_bytes,
                   after->write_bytes - before->write_bytes};
}

}  // namespace shardmark::bench
