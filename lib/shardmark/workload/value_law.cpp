// SPDX-License-Identifier: Apache-2.0
#include "shardmark/workload/value_law.hpp"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <cstring>

#include "shardmark/core/checksum.hpp"

namespace shardmark {
namespace {

constexpr std::uint64_t seed_step = 0x9E3779B97F4A7C15;
constexpr std::uint64_t index_step = 0xD1B54A32D192ED03;

constexpr std::uint64_t finalise(std::uint64_t z) noexcept {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return z ^ (z >> 31);
}

constexpr std::uint64_t first_word(std::string_view fqn, std::uint64_t seed) noexcept {
  return fnv1a(fqn) + (seed + 1) * seed_step;
}

/// The 16-bit floats of n / 256, exact in both formats.
template <int exponent_bits, int mantissa_bits>
constexpr std::array<std::uint16_t, 256> make_fractions() {
  constexpr int bias = (1 << (exponent_bits - 1)) - 1;
  std::array<std::uint16_t, 256> table{};
  for (unsigned n = 1; n < 256; ++n) {
    const int exponent = static_cast<int>(std::bit_width(n)) - 9;  // n / 256 = 1.m * 2^exponent
    const unsigned mantissa = (n << (mantissa_bits - (exponent + 8))) & ((1U << mantissa_bits) - 1);
    table[n] = static_cast<std::uint16_t>(
        (static_cast<unsigned>(exponent + bias) << mantissa_bits) | mantissa);
  }
  return table;
}

constexpr auto float16_fractions = make_fractions<5, 10>();
constexpr auto bfloat16_fractions = make_fractions<8, 7>();

/// A run of elements at equal steps, in memory and in the tensor.
struct ElementRun {
  std::uint64_t z;      // of the first element
  std::uint64_t dz;     // from one element to the next
  std::int64_t stride;  // in memory, in elements
  std::int64_t count;
};

template <typename T, typename Convert>
void write_run(std::byte* out, const ElementRun& run, const Convert& convert) noexcept {
  std::uint64_t z = run.z;
  for (std::int64_t i = 0; i < run.count; ++i, z += run.dz) {
    const T element = convert(finalise(z));
    std::memcpy(out + i * run.stride * static_cast<std::int64_t>(sizeof(T)), &element,
                sizeof element);
  }
}

/// The imaginary part is that of the word that the finaliser makes of the real part's.
template <typename Real, int bits>
void write_complex(std::byte* out, const ElementRun& run) noexcept {
  constexpr int dropped = 64 - bits;
  constexpr Real unit = Real{1} / static_cast<Real>(std::uint64_t{1} << bits);
  write_run<std::array<Real, 2>>(out, run, [](std::uint64_t v) {
    const auto part = [](std::uint64_t word) {
      return static_cast<Real>(static_cast<std::int64_t>(word >> dropped)) * unit;
    };
    return std::array<Real, 2>{part(v), part(finalise(v))};
  });
}

template <typename Int>
void write_integers(std::byte* out, const ElementRun& run) noexcept {
  write_run<Int>(out, run, [](std::uint64_t v) { return static_cast<Int>(v); });
}

void write(Dtype dtype, std::byte* out, const ElementRun& run) noexcept {
  switch (dtype) {
    case Dtype::float64:
      return write_run<double>(
          out, run, [](std::uint64_t v) { return static_cast<double>(v >> 11) * 0x1p-53; });
    case Dtype::float32:
      return write_run<float>(out, run, [](std::uint64_t v) {
        return static_cast<float>(static_cast<std::int32_t>(v >> 40)) * 0x1p-24F;
      });
    case Dtype::float16:
      return write_run<std::uint16_t>(out, run,
                                      [](std::uint64_t v) { return float16_fractions[v >> 56]; });
    case Dtype::bfloat16:
      return write_run<std::uint16_t>(out, run,
                                      [](std::uint64_t v) { return bfloat16_fractions[v >> 56]; });
    case Dtype::float8_e4m3fn:
    case Dtype::float8_e5m2:
    case Dtype::float8_e4m3fnuz:
    case Dtype::float8_e5m2fnuz:
    case Dtype::float8_e8m0fnu:
      return write_run<std::uint8_t>(
          out, run, [](std::uint64_t v) { return static_cast<std::uint8_t>((v >> 56) & 0x77); });
    case Dtype::float4_e2m1fn_x2:
      return write_run<std::uint8_t>(
          out, run, [](std::uint64_t v) { return static_cast<std::uint8_t>(v >> 56); });
    case Dtype::complex64:
      return write_complex<float, 24>(out, run);
    case Dtype::complex128:
      return write_complex<double, 53>(out, run);
    case Dtype::int64:
    case Dtype::uint64:
      return write_integers<std::uint64_t>(out, run);
    case Dtype::int32:
    case Dtype::uint32:
      return write_integers<std::uint32_t>(out, run);
    case Dtype::int16:
    case Dtype::uint16:
      return write_integers<std::uint16_t>(out, run);
    case Dtype::int8:
    case Dtype::uint8:
      return write_integers<std::uint8_t>(out, run);
    case Dtype::bool_:
      return write_run<std::uint8_t>(
          out, run, [](std::uint64_t v) { return static_cast<std::uint8_t>(v & 1); });
  }
}

/// Calls `take(data, run, first)` for runs as long as memory and tensor both step evenly; `first`
/// is the run's first element as an index in the box. Stops when `take` returns false.
template <typename Byte, typename Take>
void for_each_even_run(const BasicTensorView<Byte>& view, std::uint64_t z0, const Box& box,
                       const Dims& global_sizes, const Take& take) {
  SHARDMARK_ASSERT(view.sizes == box.sizes && box.ndim() == global_sizes.ndim(),
                   "a view of another box");
  if (box.empty()) {
    return;
  }
  const Dims global_strides = row_major_strides(global_sizes);
  ElementRun run{.z = 0, .dz = index_step, .stride = 1, .count = 1};
  int inner = box.ndim();
  std::int64_t global_step = 0;
  while (inner > 0) {
    const int d = inner - 1;
    if (box.sizes[d] != 1) {
      if (run.count == 1) {
        run.stride = view.strides[d];
        global_step = global_strides[d];
      } else if (view.strides[d] != run.stride * run.count ||
                 global_strides[d] != global_step * run.count) {
        break;
      }
    }
    run.count *= box.sizes[d];
    --inner;
  }
  run.dz = static_cast<std::uint64_t>(global_step) * index_step;
  Dims at = Dims::filled(box.ndim(), 0);
  while (true) {
    std::uint64_t index = 0;
    std::int64_t offset = 0;
    for (int d = 0; d < box.ndim(); ++d) {
      index += static_cast<std::uint64_t>(box.offsets[d] + at[d]) *
               static_cast<std::uint64_t>(global_strides[d]);
      offset += at[d] * view.strides[d];
    }
    run.z = z0 + index * index_step;
    if (!take(view.data + offset * element_size(view.dtype), run, at)) {
      return;
    }
    int d = inner - 1;
    while (d >= 0 && ++at[d] == box.sizes[d]) {
      at[d--] = 0;
    }
    if (d < 0) {
      return;
    }
  }
}

/// First element of the run that differs, or -1. Expected values are made block by block on the
/// stack, so that one compare serves a block.
std::int64_t first_difference(Dtype dtype, const std::byte* data, const ElementRun& run,
                              std::array<std::byte, max_element_size>& expected) {
  constexpr std::int64_t block = 512;
  alignas(max_element_size) std::array<std::byte, block * max_element_size> law;
  const std::int64_t itemsize = element_size(dtype);
  const auto bytes = static_cast<std::size_t>(itemsize);
  for (std::int64_t done = 0; done < run.count; done += block) {
    const std::int64_t count = std::min(block, run.count - done);
    write(dtype, law.data(), {run.z + static_cast<std::uint64_t>(done) * run.dz, run.dz, 1, count});
    const std::byte* found = data + done * run.stride * itemsize;
    if (run.stride == 1 &&
        std::memcmp(found, law.data(), static_cast<std::size_t>(count) * bytes) == 0) {
      continue;
    }
    for (std::int64_t i = 0; i < count; ++i) {
      if (std::memcmp(found + i * run.stride * itemsize, law.data() + i * itemsize, bytes) != 0) {
        std::memcpy(expected.data(), law.data() + i * itemsize, bytes);
        return done + i;
      }
    }
  }
  return -1;
}

}  // namespace

std::uint64_t value_word(std::string_view fqn, std::uint64_t seed, std::uint64_t index) noexcept {
  return finalise(first_word(fqn, seed) + index * index_step);
}

void fill(const TensorView& view, std::string_view fqn, std::uint64_t seed, const Box& box,
          const Dims& global_sizes) {
  for_each_even_run(view, first_word(fqn, seed), box, global_sizes,
                    [&](std::byte* data, const ElementRun& run, const Dims&) {
                      write(view.dtype, data, run);
                      return true;
                    });
}

std::optional<ValueMismatch> check(const ConstTensorView& view, std::string_view fqn,
                                   std::uint64_t seed, const Box& box, const Dims& global_sizes) {
  std::optional<ValueMismatch> mismatch;
  for_each_even_run(view, first_word(fqn, seed), box, global_sizes,
                    [&](const std::byte* data, const ElementRun& run, const Dims& first) {
                      std::array<std::byte, max_element_size> expected{};
                      std::int64_t place = first_difference(view.dtype, data, run, expected);
                      if (place < 0) {
                        return true;
                      }
                      const std::byte* found = data + place * run.stride * element_size(view.dtype);
                      mismatch = {{},
                                  element_to_string(view.dtype, expected.data()),
                                  element_to_string(view.dtype, found)};
                      mismatch->index = first;
                      for (int d = box.ndim() - 1; d >= 0; --d) {
                        if (place > 0) {
                          mismatch->index[d] += place % box.sizes[d];
                          place /= box.sizes[d];
                        }
                        mismatch->index[d] += box.offsets[d];
                      }
                      return false;
                    });
  return mismatch;
}

void fill(std::span<std::byte> object, std::string_view fqn, std::uint64_t seed) {
  const Dims sizes = {static_cast<std::int64_t>(object.size())};
  fill(contiguous_view(object.data(), Dtype::uint8, sizes), fqn, seed, whole_box(sizes), sizes);
}

std::optional<ValueMismatch> check(std::span<const std::byte> object, std::string_view fqn,
                                   std::uint64_t seed) {
  const Dims sizes = {static_cast<std::int64_t>(object.size())};
  return check(contiguous_view(object.data(), Dtype::uint8, sizes), fqn, seed, whole_box(sizes),
               sizes);
}

}  // namespace shardmark
