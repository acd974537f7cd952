// SPDX-License-Identifier: Apache-2.0
#include "shardmark/workload/value_law.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

namespace shardmark {
namespace {

__extension__ using Wide = unsigned __int128;

/// splitmix64's.
std::uint64_t finaliser(std::uint64_t v) {
  v = static_cast<std::uint64_t>(Wide{v ^ v >> 30} * 0xBF58476D1CE4E5B9ULL);
  v = static_cast<std::uint64_t>(Wide{v ^ v >> 27} * 0x94D049BB133111EBULL);
  return v ^ v >> 31;
}

/// The law again, from its text and nothing of the library: 128-bit arithmetic, one element.
std::uint64_t law(const std::string& fqn, std::uint64_t seed, Wide index) {
  const auto mod64 = [](Wide x) { return static_cast<std::uint64_t>(x); };
  Wide h = 14695981039346656037ULL;
  for (const char c : fqn) {
    h = mod64((h ^ static_cast<unsigned char>(c)) * 1099511628211ULL);
  }
  const std::uint64_t z =
      mod64(h + (Wide{seed} + 1) * 0x9E3779B97F4A7C15ULL + index * 0xD1B54A32D192ED03ULL);
  return finaliser(z);
}

template <typename T>
T at(const std::vector<std::byte>& bytes, std::int64_t index) {
  T value;
  std::memcpy(&value, bytes.data() + static_cast<std::size_t>(index) * sizeof value, sizeof value);
  return value;
}

/// The element in `bytes` against the word, by arithmetic on numbers where the format is one.
bool obeys(Dtype dtype, const std::vector<std::byte>& bytes, std::int64_t index, std::uint64_t v) {
  const double fraction = std::ldexp(static_cast<double>(v >> 56), -8);
  switch (dtype) {
    case Dtype::float64:
      return at<double>(bytes, index) == std::ldexp(static_cast<double>(v >> 11), -53);
    case Dtype::float32:
      return static_cast<double>(at<float>(bytes, index)) ==
             std::ldexp(static_cast<double>(v >> 40), -24);
    case Dtype::bfloat16: {  // the top half of a float32
      const std::uint32_t wide = std::uint32_t{at<std::uint16_t>(bytes, index)} << 16;
      float value;
      std::memcpy(&value, &wide, sizeof value);
      return static_cast<double>(value) == fraction;
    }
    case Dtype::float16: {
      const std::uint16_t bits = at<std::uint16_t>(bytes, index);
      const int exponent = bits >> 10;
      const double value =
          exponent == 0 ? std::ldexp(bits, -24) : std::ldexp(1024 + (bits & 1023), exponent - 25);
      return value == fraction;
    }
    case Dtype::float8_e4m3fn:
    case Dtype::float8_e5m2:
    case Dtype::float8_e4m3fnuz:
    case Dtype::float8_e5m2fnuz:
    case Dtype::float8_e8m0fnu:
      return at<std::uint8_t>(bytes, index) == ((v >> 56) & 0x77);
    case Dtype::float4_e2m1fn_x2:
      return at<std::uint8_t>(bytes, index) == v >> 56;
    case Dtype::complex64:
      return obeys(Dtype::float32, bytes, 2 * index, v) &&
             obeys(Dtype::float32, bytes, 2 * index + 1, finaliser(v));
    case Dtype::complex128:
      return obeys(Dtype::float64, bytes, 2 * index, v) &&
             obeys(Dtype::float64, bytes, 2 * index + 1, finaliser(v));
    case Dtype::int64:
      return at<std::int64_t>(bytes, index) == static_cast<std::int64_t>(v);
    case Dtype::int32:
      return at<std::int32_t>(bytes, index) == static_cast<std::int32_t>(v);
    case Dtype::int16:
      return at<std::int16_t>(bytes, index) == static_cast<std::int16_t>(v);
    case Dtype::int8:
      return at<std::int8_t>(bytes, index) == static_cast<std::int8_t>(v);
    case Dtype::uint8:
      return at<std::uint8_t>(bytes, index) == v % 256;
    case Dtype::uint16:
      return at<std::uint16_t>(bytes, index) == v % 65536;
    case Dtype::uint32:
      return at<std::uint32_t>(bytes, index) == v % (std::uint64_t{1} << 32);
    case Dtype::uint64:
      return at<std::uint64_t>(bytes, index) == v;
    case Dtype::bool_:
      return at<std::uint8_t>(bytes, index) == v % 2;
  }
  return false;
}

std::vector<Dtype> all_dtypes() {
  std::vector<Dtype> dtypes;
  for (std::uint64_t i = 0; i < num_dtypes; ++i) {
    dtypes.push_back(dtype_from_number(i).value());
  }
  return dtypes;
}

TEST(ValueLaw, PublishedCheckValues) {
  const std::int64_t expected[] = {-7584380531001642242, -8596903600962804303, -9191511763120697622,
                                   -2705101140188212929};
  const char* const bfloat16[] = {"0.5859375", "0.53125", "0.5", "0.8515625"};
  std::vector<std::byte> wide(32);
  std::vector<std::byte> narrow(8);
  fill(contiguous_view(wide.data(), Dtype::int64, {4}), "a.b", 3, whole_box({4}), {4});
  fill(contiguous_view(narrow.data(), Dtype::bfloat16, {4}), "a.b", 3, whole_box({4}), {4});
  for (std::int64_t i = 0; i < 4; ++i) {
    EXPECT_EQ(at<std::int64_t>(wide, i), expected[i]);
    EXPECT_EQ(value_word("a.b", 3, static_cast<std::uint64_t>(i)),
              static_cast<std::uint64_t>(expected[i]));
    EXPECT_EQ(element_to_string(Dtype::bfloat16, narrow.data() + 2 * i), bfloat16[i]);
  }
}

TEST(ValueLaw, EveryDtypeEveryBoxEveryStride) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const auto pick = [&](std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(random);
  };
  for (const Dtype dtype : all_dtypes()) {
    for (int round = 0; round < 60; ++round) {
      Dims sizes = Dims::filled(static_cast<int>(pick(0, 4)), 0);
      std::generate(sizes.begin(), sizes.end(), [&] { return pick(1, 9); });
      Box box = whole_box(sizes);
      Dims room = sizes;  // memory: padded rows, dimensions in any order
      for (int d = 0; d < sizes.ndim(); ++d) {
        box.offsets[d] = pick(0, 1) * pick(0, sizes[d] - 1);
        box.sizes[d] =
            pick(0, 3) == 0 ? pick(0, sizes[d] - box.offsets[d]) : sizes[d] - box.offsets[d];
        room[d] = box.sizes[d] + pick(0, 2) / 2;
      }
      std::vector<int> order(sizes.size());
      for (std::size_t d = 0; d < order.size(); ++d) {
        order[d] = static_cast<int>(d);
      }
      if (pick(0, 1) == 1) {
        std::shuffle(order.begin(), order.end(), random);
      }
      Dims strides = box.sizes;
      std::int64_t elements = 1;
      for (auto d = order.rbegin(); d != order.rend(); ++d) {
        strides[*d] = elements;
        elements *= room[*d];
      }
      const auto itemsize = static_cast<std::size_t>(element_size(dtype));
      std::vector<std::byte> memory(static_cast<std::size_t>(elements) * itemsize + 1,
                                    std::byte{0xA5});
      const std::uint64_t value_seed = random();
      const std::string fqn = "t\xC3\xA9." + std::to_string(round);
      const TensorView view{memory.data(), dtype, box.sizes, strides};
      fill(view, fqn, value_seed, box, sizes);
      SCOPED_TRACE(std::string(dtype_name(dtype)) + " " + to_string(box) + " of " +
                   to_string(sizes));

      std::vector<bool> written(memory.size(), false);
      for (std::int64_t i = 0; i < box.num_elements(); ++i) {
        std::int64_t rest = i;
        std::int64_t place = 0;
        std::int64_t index = 0;
        std::int64_t step = 1;
        for (int d = sizes.ndim() - 1; d >= 0; --d) {
          const std::int64_t here = rest % box.sizes[d];
          rest /= box.sizes[d];
          place += here * strides[d];
          index += (box.offsets[d] + here) * step;
          step *= sizes[d];
        }
        ASSERT_TRUE(obeys(dtype, memory, place, law(fqn, value_seed, static_cast<Wide>(index))))
            << i;
        std::fill_n(written.begin() + place * static_cast<std::int64_t>(itemsize), itemsize, true);
      }
      for (std::size_t b = 0; b < memory.size(); ++b) {
        ASSERT_TRUE(written[b] || memory[b] == std::byte{0xA5}) << "wrote beside the view";
      }
      EXPECT_FALSE(check(view, fqn, value_seed, box, sizes));
    }
  }
}

TEST(ValueLaw, HugeIndicesAndLongRuns) {
  // 2^62 + elements: the last rows of a tensor nobody can hold; the run is longer than a block.
  const Dims sizes = {std::int64_t{1} << 50, 3001};
  const Box box{{(std::int64_t{1} << 50) - 2, 7}, {2, 2900}};
  std::vector<std::byte> memory(2 * 2900 * 4);
  const TensorView view = contiguous_view(memory.data(), Dtype::float32, box.sizes);
  fill(view, "huge", ~std::uint64_t{0}, box, sizes);
  for (std::int64_t i = 0; i < 5800; ++i) {
    const auto index =
        static_cast<Wide>(box.offsets[0] + i / 2900) * 3001 + static_cast<Wide>(7 + i % 2900);
    ASSERT_TRUE(obeys(Dtype::float32, memory, i, law("huge", ~std::uint64_t{0}, index)));
  }
  EXPECT_FALSE(check(view, "huge", ~std::uint64_t{0}, box, sizes));
  EXPECT_TRUE(check(view, "huge", 0, box, sizes));
  EXPECT_TRUE(check(view, "hugf", ~std::uint64_t{0}, box, sizes));
}

TEST(ValueLaw, FindsOneFlippedBitAnywhere) {
  const Dims sizes = {40, 50};
  const Box box{{3, 11}, {30, 37}};
  for (const Dtype dtype :
       {Dtype::uint8, Dtype::bool_, Dtype::float16, Dtype::int64, Dtype::complex128}) {
    const std::int64_t itemsize = element_size(dtype);
    std::vector<std::byte> memory(static_cast<std::size_t>(30 * 37 * itemsize));
    for (const Dims& strides : {Dims{37, 1}, Dims{1, 30}}) {
      const TensorView view{memory.data(), dtype, box.sizes, strides};
      fill(view, "w", 5, box, sizes);
      ASSERT_FALSE(check(view, "w", 5, box, sizes));
      for (const auto& [row, column] :
           std::vector<std::pair<std::int64_t, std::int64_t>>{{0, 0}, {29, 36}, {13, 1}, {1, 36}}) {
        const std::int64_t place = (row * strides[0] + column * strides[1]) * itemsize;
        auto& byte = memory[static_cast<std::size_t>(place + itemsize - 1)];
        const std::byte good = byte;
        byte ^= std::byte{0x80};
        const auto mismatch = check(view, "w", 5, box, sizes);
        ASSERT_TRUE(mismatch);
        EXPECT_EQ(mismatch->index, (Dims{3 + row, 11 + column}));
        EXPECT_NE(mismatch->expected, mismatch->found);
        byte = good;
      }
    }
  }
}

TEST(ValueLaw, Objects) {
  std::vector<std::byte> object(5056);
  fill(std::span<std::byte>(object), "rng_state", 9);
  for (std::size_t j = 0; j < object.size(); ++j) {
    ASSERT_EQ(std::to_integer<unsigned>(object[j]), law("rng_state", 9, j) & 0xFF);
  }
  EXPECT_FALSE(check(std::span<const std::byte>(object), "rng_state", 9));
  object[4000] ^= std::byte{1};
  EXPECT_EQ(check(std::span<const std::byte>(object), "rng_state", 9)->index, (Dims{4000}));
  EXPECT_FALSE(check(std::span<const std::byte>(), "rng_state", 9));
}

}  // namespace
}  // namespace shardmark
