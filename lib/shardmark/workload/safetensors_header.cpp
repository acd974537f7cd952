// SPDX-License-Identifier: Apache-2.0
#include "shardmark/workload/safetensors_header.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <tuple>
#include <unordered_set>

#include "shardmark/workload/safetensors_dtype.hpp"

namespace shardmark {
namespace {

constexpr std::uint64_t max_header_bytes = 100'000'000;  // the format's own limit
constexpr int number_depth = 3;                          // {tensor: {key: [numbers]}}
constexpr int max_metadata_depth = 64;                   // what __metadata__ holds is passed over

std::string shown(std::string_view text) {
  constexpr std::size_t most = 80;
  std::string clean(text.substr(0, most));
  std::replace_if(
      clean.begin(), clean.end(), [](unsigned char c) { return c < 0x20 || c > 0x7E; }, '?');
  return clean + (text.size() > most ? "..." : "");
}

/// Takes the events of the parser, which does not recurse, and builds nothing but entries.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit HeaderReader(std::vector<SafetensorsEntry>& entries) : entries_(entries) {}
  const std::string& problem() const { return problem_; }

  bool start_object(std::size_t) override {
    if (in_metadata_) {
      return open_metadata();
    }
    if (depth_ > 1) {
      return refuse_at("found an object");
    }
    ++depth_;
    return true;
  }
  bool end_object() override {
    --depth_;
    return in_metadata_ || depth_ != 1 ? close_metadata() : finish_entry();
  }
  bool key(std::string& text) override {
    if (in_metadata_) {
      return true;
    }
    if (depth_ == 1) {
      if (!names_.insert(text).second) {
        return refuse(fmt::format("tensor '{}' stands there twice", shown(text)));
      }
      tensor_ = text;
      in_metadata_ = text == "__metadata__";
      entry_ = {};
      seen_.clear();
      return true;
    }
    key_ = text;
    if (!seen_.insert(text).second) {
      return refuse_at("the key stands there twice");
    }
    if (text != "dtype" && text != "shape" && text != "data_offsets") {
      return refuse_at("expected dtype, shape and data_offsets");
    }
    return true;
  }
  bool string(std::string& text) override {
    if (in_metadata_) {
      return close_metadata();
    }
    if (depth_ != 2 || key_ != "dtype") {
      return refuse_at("found a string");
    }
    const auto dtype = published_dtype(text);
    if (!dtype) {
      return refuse_at(fmt::format("'{}' is not a dtype that this program knows", shown(text)));
    }
    dtype_ = *dtype;
    return true;
  }
  bool start_array(std::size_t) override {
    if (in_metadata_) {
      return open_metadata();
    }
    if (depth_ != 2 || (key_ != "shape" && key_ != "data_offsets")) {
      return refuse_at("found an array");
    }
    numbers_.clear();
    ++depth_;
    return true;
  }
  bool end_array() override {
    --depth_;
    if (in_metadata_) {
      return close_metadata();
    }
    if (key_ == "data_offsets") {
      if (numbers_.size() != 2 || numbers_[0] > numbers_[1]) {
        return refuse_at("expected two numbers, begin and end");
      }
      entry_.begin = numbers_[0];
      entry_.end = numbers_[1];
      return true;
    }
    std::vector<std::int64_t> extents;
    for (const std::uint64_t number : numbers_) {
      if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        return refuse_at("extents past 2^63 - 1");
      }
      extents.push_back(static_cast<std::int64_t>(number));
    }
    const auto shape = Dims::from(extents);
    if (!shape) {
      return refuse_at(shape.error().message);
    }
    entry_.shape = *shape;
    return true;
  }
  bool number_unsigned(number_unsigned_t number) override {
    if (in_metadata_) {
      return close_metadata();
    }
    if (depth_ != number_depth) {
      return refuse_at("found a number");
    }
    constexpr std::size_t most_numbers = 64;
    numbers_.push_back(number);
    return numbers_.size() <= most_numbers || refuse_at("more than 64 numbers");
  }
  bool number_integer(number_integer_t number) override {
    return in_metadata_ ? close_metadata()
                        : refuse_at(fmt::format("found {}, expected a number from 0", number));
  }
  bool number_float(number_float_t, const string_t& text) override {
    return in_metadata_ ? close_metadata()
                        : refuse_at(fmt::format("found {}, expected an integer", shown(text)));
  }
  bool null() override { return in_metadata_ ? close_metadata() : refuse_at("found null"); }
  bool boolean(bool) override {
    return in_metadata_ ? close_metadata() : refuse_at("found a boolean");
  }
  bool binary(binary_t&) override { return refuse_at("found binary data"); }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::json::exception&) override {
    return refuse(fmt::format("it is not JSON from byte {} of the header on", position));
  }

 private:
  bool refuse(std::string why) {
    problem_ = std::move(why);
    return false;
  }
  bool refuse_at(std::string_view why) {
    return refuse(tensor_.empty()
                      ? std::string(why)
                      : fmt::format("tensor '{}'{}: {}", shown(tensor_),
                                    key_.empty() ? std::string() : fmt::format(" {}", shown(key_)),
                                    why));
  }
  /// What __metadata__ holds is its writer's affair, null too; only its depth is bounded.
  bool open_metadata() {
    ++depth_;
    return depth_ <= max_metadata_depth || refuse("__metadata__ is nested too deep");
  }
  /// After any value: back between tensors, the metadata is over.
  bool close_metadata() {
    in_metadata_ = in_metadata_ && depth_ > 1;
    return true;
  }
  /// Elements of less than a byte fill whole bytes along the last dimension.
  bool pack_last_dimension() {
    const int last = entry_.shape.ndim() - 1;
    const std::int64_t bits = dtype_.bits;
    if (last < 0 || entry_.shape[last] > std::numeric_limits<std::int64_t>::max() / bits ||
        entry_.shape[last] * bits % 8 != 0) {
      return refuse_at(fmt::format("{} of shape {} fill no whole bytes along the last dimension",
                                   dtype_.name, to_string(entry_.shape)));
    }
    entry_.shape[last] = entry_.shape[last] * bits / 8;
    return true;
  }
  bool finish_entry() {
    key_.clear();
    if (seen_.size() != 3) {
      return refuse_at("expected dtype, shape and data_offsets");
    }
    if (dtype_.is_packed() && !pack_last_dimension()) {
      return false;
    }
    entry_.dtype = dtype_.held_as;
    entry_.published_dtype = dtype_.has_name ? "" : dtype_.name;
    const auto volume = checked_volume(entry_.shape);
    if (!volume) {
      return refuse_at(volume.error().message);
    }
    std::int64_t bytes = 0;
    if (__builtin_mul_overflow(*volume, element_size(entry_.dtype), &bytes) ||
        entry_.end - entry_.begin != static_cast<std::uint64_t>(bytes)) {
      return refuse_at(fmt::format("{} {} takes {} bytes, data_offsets span {}", dtype_.name,
                                   to_string(entry_.shape), bytes, entry_.end - entry_.begin));
    }
    if (entry_.end > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      return refuse_at(fmt::format("data_offsets reach byte {}, past 2^63 - 1", entry_.end));
    }
    entry_.name = tensor_;
    entries_.push_back(std::move(entry_));
    return true;
  }

  std::vector<SafetensorsEntry>& entries_;
  std::string problem_;
  int depth_ = 0;
  bool in_metadata_ = false;
  std::string tensor_;
  std::string key_;
  SafetensorsEntry entry_;
  PublishedDtype dtype_;
  std::vector<std::uint64_t> numbers_;
  std::unordered_set<std::string> names_;
  std::unordered_set<std::string> seen_;  // keys of the present tensor
};

Error broken(std::string why) {
  return {ErrorCode::invalid_argument, std::move(why)};
}

Status check_offsets(const std::vector<SafetensorsEntry>& entries, std::uint64_t data_bytes) {
  std::uint64_t reached = 0;
  const SafetensorsEntry* before = nullptr;
  for (const SafetensorsEntry& entry : entries) {
    if (entry.begin < reached) {
      return broken(
          fmt::format("tensors '{}' and '{}' overlap: one ends at {}, the other begins "
                      "at {}",
                      shown(before->name), shown(entry.name), reached, entry.begin));
    }
    if (entry.begin > reached) {
      return broken(fmt::format("bytes {} to {} before tensor '{}' belong to no tensor", reached,
                                entry.begin, shown(entry.name)));
    }
    reached = entry.end;
    before = &entry;
  }
  if (data_bytes != 0 && reached != data_bytes) {
    return broken(fmt::format("tensors take {} bytes, {} follow the header: the file is {}",
                              reached, data_bytes, reached > data_bytes ? "truncated" : "longer"));
  }
  return {};
}

}  // namespace

Result<std::vector<SafetensorsEntry>> parse_safetensors_header(std::string_view json,
                                                               std::uint64_t data_bytes) {
  std::vector<SafetensorsEntry> entries;
  HeaderReader reader(entries);
  if (json.empty() || json.front() != '{') {
    return broken("the header does not begin with '{'");
  }
  if (!nlohmann::json::sax_parse(json.begin(), json.end(), &reader)) {
    return broken(reader.problem());
  }
  std::sort(entries.begin(), entries.end(),
            [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
              return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
            });
  SHARDMARK_RETURN_IF_ERROR(check_offsets(entries, data_bytes));
  return entries;
}

Result<std::uintmax_t> regular_file_bytes(const std::string& path) {
  std::error_code failure;
  const auto status = std::filesystem::status(path, failure);
  if (!failure && std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    return Error{ErrorCode::invalid_argument, fmt::format("{}: is no regular file", path)};
  }
  const std::uintmax_t bytes = std::filesystem::file_size(path, failure);
  if (failure) {
    return Error{ErrorCode::not_found,
                 fmt::format("{}: cannot be read: {}", path, failure.message())};
  }
  return bytes;
}

Result<std::vector<SafetensorsEntry>> read_safetensors_header(const std::string& path) {
  SHARDMARK_ASSIGN_OR_RETURN(const std::uintmax_t file_bytes, regular_file_bytes(path));
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return Error{ErrorCode::not_found, fmt::format("{}: cannot be read: permission denied", path)};
  }
  std::array<unsigned char, 8> word{};
  file.read(reinterpret_cast<char*>(word.data()), word.size());
  std::uint64_t header_bytes = 0;
  for (std::size_t i = 0; i < word.size(); ++i) {
    header_bytes |= static_cast<std::uint64_t>(word[i]) << (8 * i);
  }
  if (!file) {
    return broken(
        fmt::format("{}: has {} bytes, a safetensors file begins with 8", path, file_bytes));
  }
  if (header_bytes > max_header_bytes || header_bytes > file_bytes - word.size()) {
    return broken(
        fmt::format("{}: claims a header of {} bytes, the file has {} after the length; "
                    "the limit is {}",
                    path, header_bytes, file_bytes - word.size(), max_header_bytes));
  }
  std::string header(static_cast<std::size_t>(header_bytes), '\0');
  file.read(header.data(), static_cast<std::streamsize>(header.size()));
  if (!file) {
    return broken(fmt::format("{}: ends within its header", path));
  }
  auto entries = parse_safetensors_header(header, file_bytes - word.size() - header_bytes);
  if (!entries) {
    return broken(fmt::format("{}: {}", path, entries.error().message));
  }
  for (SafetensorsEntry& entry : *entries) {
    entry.file = path;
    entry.address = word.size() + header_bytes + entry.begin;
  }
  return entries;
}

}  // namespace shardmark
