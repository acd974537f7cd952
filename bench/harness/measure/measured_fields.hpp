// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace shardmark::bench {

/// What is measured of one repetition beside its time and phases: by each rank, then of all. A new
/// number is a member here and a row of the tables below; everything between a case and the result
/// files follows them.
struct MeasuredFields {
  std::optional<double> returned_s;
  std::optional<double> durable_s;
  std::optional<double> visible_s;
  std::optional<double> overlapped_s;
  std::optional<double> own_s;  // another program's own figure

  std::optional<std::int64_t> num_bytes;
  std::optional<std::int64_t> bytes_read;
  std::optional<std::int64_t> bytes_written;
  std::optional<std::int64_t> read_requests;
  std::optional<std::int64_t> write_requests;
  std::optional<std::int64_t> verify_bytes_read;
};

/// What becomes of the ranks' values.
enum class OverRanks : std::uint8_t {
  sum,
  max,
  root,  // the same on all, or known to rank 0 alone
};

/// What becomes of the repetitions' values in the summary of a case.
enum class OverRounds : std::uint8_t {
  spread,  // median, minimum and maximum
  first,   // the same every time
  none,    // in samples.json alone
};

template <typename T>
struct MeasuredField {
  std::string_view key;   // of samples.json
  std::string_view unit;  // "s", "B", or nothing for a count
  std::optional<T> MeasuredFields::*value;
  OverRanks over_ranks = OverRanks::root;
  OverRounds over_rounds = OverRounds::none;
};

/// Seconds. All but those of rank 0 are of as many passes as the operation was done in a row.
inline constexpr std::array measured_times = {
    MeasuredField<double>{.key = "returned_s",
                          .unit = "s",
                          .value = &MeasuredFields::returned_s,
                          .over_ranks = OverRanks::max,
                          .over_rounds = OverRounds::spread},
    MeasuredField<double>{.key = "durable_s",
                          .unit = "s",
                          .value = &MeasuredFields::durable_s,
                          .over_ranks = OverRanks::max,
                          .over_rounds = OverRounds::spread},
    MeasuredField<double>{.key = "visible_s",
                          .unit = "s",
                          .value = &MeasuredFields::visible_s,
                          .over_ranks = OverRanks::root,
                          .over_rounds = OverRounds::spread},
    MeasuredField<double>{.key = "overlapped_s",
                          .unit = "s",
                          .value = &MeasuredFields::overlapped_s,
                          .over_ranks = OverRanks::max},
    MeasuredField<double>{.key = "own_s",
                          .unit = "s",
                          .value = &MeasuredFields::own_s,
                          .over_ranks = OverRanks::max,
                          .over_rounds = OverRounds::spread},
};

inline constexpr std::array measured_counts = {
    MeasuredField<std::int64_t>{.key = "num_bytes",
                                .unit = "B",
                                .value = &MeasuredFields::num_bytes,
                                .over_rounds = OverRounds::first},
    MeasuredField<std::int64_t>{.key = "bytes_read",
                                .unit = "B",
                                .value = &MeasuredFields::bytes_read,
                                .over_ranks = OverRanks::sum},
    MeasuredField<std::int64_t>{.key = "bytes_written",
                                .unit = "B",
                                .value = &MeasuredFields::bytes_written,
                                .over_ranks = OverRanks::sum},
    MeasuredField<std::int64_t>{.key = "read_requests",
                                .unit = "",
                                .value = &MeasuredFields::read_requests,
                                .over_ranks = OverRanks::sum},
    MeasuredField<std::int64_t>{.key = "write_requests",
                                .unit = "",
                                .value = &MeasuredFields::write_requests,
                                .over_ranks = OverRanks::sum},
    MeasuredField<std::int64_t>{
        .key = "verify_bytes_read", .unit = "B", .value = &MeasuredFields::verify_bytes_read},
};

}  // namespace shardmark::bench
