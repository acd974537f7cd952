// SPDX-License-Identifier: Apache-2.0
#include "shardmark/core/tensor_view.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <numeric>
#include <vector>

#include "shardmark/core/checksum.hpp"

namespace shardmark {
namespace {

/// A buffer whose int16 elements are 0, 1, 2, ...
std::vector<std::byte> counting(std::int64_t count) {
  std::vector<std::int16_t> values(static_cast<std::size_t>(count));
  std::iota(values.begin(), values.end(), std::int16_t{0});
  std::vector<std::byte> bytes(values.size() * 2);
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

std::vector<std::int16_t> elements(const ConstTensorView& view, int* num_runs = nullptr) {
  std::vector<std::int16_t> out;
  for_each_contiguous_run(view, [&](const std::byte* data, std::int64_t count) {
    std::vector<std::int16_t> run(static_cast<std::size_t>(count));
    std::memcpy(run.data(), data, run.size() * 2);
    out.insert(out.end(), run.begin(), run.end());
    if (num_runs != nullptr) {
      ++*num_runs;
    }
  });
  return out;
}

TEST(TensorView, SubviewsKeepStrides) {
  const auto bytes = counting(24);
  const ConstTensorView whole = contiguous_view(bytes.data(), Dtype::int16, {4, 6});
  EXPECT_TRUE(whole.is_contiguous());
  int runs = 0;
  EXPECT_EQ(elements(whole, &runs).size(), 24U);
  EXPECT_EQ(runs, 1);
  const ConstTensorView columns = whole.subview({{1, 4}, {3, 2}});
  EXPECT_FALSE(columns.is_contiguous());
  EXPECT_EQ(columns.num_bytes(), 12);
  EXPECT_EQ(elements(columns), (std::vector<std::int16_t>{10, 11, 16, 17, 22, 23}));
  EXPECT_EQ(elements(columns.subview({{2, 1}, {1, 1}})), (std::vector<std::int16_t>{23}));
  EXPECT_TRUE(whole.subview({{1, 0}, {2, 6}}).is_contiguous());
  EXPECT_TRUE(whole.subview({{1, 2}, {1, 3}}).is_contiguous()) << "one row's part";
}

TEST(TensorView, AnyStrides) {
  const auto bytes = counting(6);
  const ConstTensorView transposed{bytes.data(), Dtype::int16, {3, 2}, {1, 3}};
  EXPECT_FALSE(transposed.is_contiguous());
  EXPECT_EQ(elements(transposed), (std::vector<std::int16_t>{0, 3, 1, 4, 2, 5}));
  const ConstTensorView reversed{bytes.data() + 10, Dtype::int16, {6}, {-1}};
  EXPECT_EQ(elements(reversed), (std::vector<std::int16_t>{5, 4, 3, 2, 1, 0}));
  const ConstTensorView broadcast{bytes.data() + 2, Dtype::int16, {2, 2}, {0, 1}};
  EXPECT_EQ(elements(broadcast), (std::vector<std::int16_t>{1, 2, 1, 2}));
}

TEST(TensorView, EmptyScalarAndWithoutMemory) {
  const auto bytes = counting(1);
  EXPECT_EQ(elements(contiguous_view(bytes.data(), Dtype::int16, {})),
            (std::vector<std::int16_t>{0}));
  EXPECT_TRUE(elements(contiguous_view(bytes.data(), Dtype::int16, {3, 0, 2})).empty());
  const TensorView planned = contiguous_view<std::byte>(nullptr, Dtype::float64, {4, 4});
  EXPECT_EQ(planned.subview({{2, 2}, {2, 2}}).data, nullptr);
  EXPECT_EQ(planned.subview({{2, 2}, {2, 2}}).num_bytes(), 32);
}

TEST(Checksum, StridedViewsHashLikeTheirCopies) {
  const auto bytes = counting(600);
  const ConstTensorView part =
      contiguous_view(bytes.data(), Dtype::int16, {20, 30}).subview({{3, 5}, {11, 7}});
  const auto copy = elements(part);
  EXPECT_EQ(xxh3(part), xxh3(std::as_bytes(std::span(copy))));
  StreamingChecksum streaming;
  streaming.update(std::span(bytes).first(7));
  streaming.update(std::span(bytes).subspan(7));
  EXPECT_EQ(streaming.digest(), xxh3(std::span<const std::byte>(bytes)));
  // XXH3-64 of no bytes, seed 0, and FNV-1a's offset basis and published vector for "foobar".
  EXPECT_EQ(xxh3(std::span<const std::byte>()), 0x2D06800538D394C2U);
  EXPECT_EQ(fnv1a(""), 0xCBF29CE484222325U);
  EXPECT_EQ(fnv1a("foobar"), 0x85944171F73967E8U);
}

}  // namespace
}  // namespace shardmark
