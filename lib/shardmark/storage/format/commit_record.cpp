// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/format/commit_record.hpp"

#include <fmt/format.h>

#include <charconv>
#include <span>
#include <string_view>

#include "shardmark/core/checksum.hpp"
#include "shardmark/storage/format/manifest.hpp"

namespace shardmark {
namespace {

constexpr std::string_view first_line = "shardmark checkpoint\n";

std::uint64_t hash_of(std::string_view text) {
  return xxh3(std::as_bytes(std::span(text)));
}

/// Takes lines of "key value" off the front, in a fixed order.
class LineReader {
 public:
  explicit LineReader(std::string_view text) : rest_(text) {}

  bool next_is(std::string_view key) const {
    return rest_.starts_with(key) && rest_.substr(key.size()).starts_with(' ');
  }
  std::string_view value(std::string_view key) {
    const std::size_t end = rest_.find('\n');
    if (!next_is(key) || end == std::string_view::npos) {
      ok_ = false;
      return {};
    }
    const std::string_view value = rest_.substr(key.size() + 1, end - key.size() - 1);
    rest_.remove_prefix(end + 1);
    return value;
  }
  template <typename Int>
  Int number(std::string_view text, int base) {
    Int parsed = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parsed, base);
    ok_ = ok_ && error == std::errc() && end == text.data() + text.size() && !text.empty() &&
          text.front() != '-';
    return parsed;
  }
  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

/// The part of `text` before its first blank; `text` becomes what follows it.
std::string_view take_word(std::string_view& text) {
  const std::size_t space = text.find(' ');
  const std::string_view word = text.substr(0, space);
  text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
  return word;
}

CommitRecord::File take_file(LineReader& in, std::uint64_t version) {
  CommitRecord::File file;
  std::string_view value = in.value("file");
  file.num_bytes = in.number<std::int64_t>(take_word(value), 10);
  if (version > 1) {
    file.outside_hash = in.number<std::uint64_t>(take_word(value), 16);
  }
  file.name = value;
  return file;
}

}  // namespace

std::string to_text(const CommitRecord& record) {
  std::string text(first_line);
  text += fmt::format("format_version {}\nsave_id {}\nstep {}\n", record.version, record.save_id,
                      record.step);
  const bool old = record.version == 1;
  for (const CommitRecord::File& file : record.files) {
    const std::string hash =
        old ? std::string() : fmt::format("{:016x} ", file.outside_hash.value_or(0));
    text += fmt::format("file {} {}{}\n", file.num_bytes, hash, file.name);
  }
  text += fmt::format("manifest {} {}\n", record.manifest_address, record.manifest_bytes);
  if (old && !record.files.empty()) {
    text += fmt::format("structure {:016x}\n", record.files.front().outside_hash.value_or(0));
  }
  text += fmt::format("xxh3 {:016x}\n", hash_of(text));
  return text;
}

Result<CommitRecord> parse_commit_record(const std::string& text, const std::string& path) {
  const auto damaged = [&](std::string_view why) {
    return Error{ErrorCode::data_loss, fmt::format("{}: {}", path, why)};
  };
  if (!text.starts_with(first_line)) {
    return damaged("not a Shardmark COMMIT file");
  }
  LineReader in(std::string_view(text).substr(first_line.size()));
  const auto version = in.number<std::uint64_t>(in.value("format_version"), 10);
  if (!in.ok()) {
    return damaged("damaged: no format version");
  }
  if (!is_known_version(version)) {
    return Error{
        ErrorCode::unsupported,
        fmt::format("{}: format version {} is unknown, this program reads versions 1 to {}", path,
                    version, format_version)};
  }
  CommitRecord record;
  record.version = version;
  record.save_id = in.value("save_id");
  record.step = in.number<std::int64_t>(in.value("step"), 10);
  while (in.ok() && in.next_is("file")) {
    record.files.push_back(take_file(in, version));
  }
  std::string_view manifest = in.value("manifest");
  record.manifest_address = in.number<std::int64_t>(take_word(manifest), 10);
  record.manifest_bytes = in.number<std::int64_t>(manifest, 10);
  if (version == 1 && !record.files.empty()) {
    record.files.front().outside_hash = in.number<std::uint64_t>(in.value("structure"), 16);
  }
  in.value("xxh3");
  // Written again it must be the same bytes: this checks the hash, and that no number, blank or
  // letter case is other than to_text() writes it.
  if (!in.ok() || !in.at_end() || to_text(record) != text) {
    return damaged("damaged: its checksum does not match");
  }
  if (record.files.empty() || (record.files.front().name != entry_file_name &&
                               record.files.front().name != raw_entry_file_name)) {
    return damaged("names no entry file");
  }
  for (const CommitRecord::File& file : record.files) {
    if (file.name.empty() || file.name.find('/') != std::string::npos ||
        file.name.starts_with('.')) {
      return damaged(fmt::format("file name '{}' is not a plain name", file.name));
    }
  }
  return record;
}

}  // namespace shardmark
