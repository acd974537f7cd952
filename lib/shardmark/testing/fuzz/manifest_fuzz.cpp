// SPDX-License-Identifier: Apache-2.0
// The bytes that a loader believes: the manifest, once as they are and once with their hash put
// right, which gets past the first check.
#include <cstdlib>

#include "shardmark/core/checksum.hpp"
#include "shardmark/storage/format/manifest.hpp"
#include "shardmark/testing/fuzz/fuzz_target.hpp"

namespace shardmark::testing {
namespace {

Manifest seed_manifest(bool with_layouts) {
  Manifest manifest;
  manifest.step = 7;
  manifest.save_id = "0123456789abcdef";
  manifest.world_size = 4;
  manifest.checksums_address = 4096;
  manifest.files = {"checkpoint.h5"};
  manifest.entries.entries.push_back({"a", EntryKind::tensor, Dtype::float32, {16, 4}, 0, 4});
  manifest.entries.entries.push_back({"step", EntryKind::object, Dtype::uint8, {8}, 4, 1});
  const DeviceMesh mesh = *DeviceMesh::row_major({4});
  const std::vector<Placement> rows = {Placement::shard(0)};
  if (with_layouts) {
    manifest.chunks.append(
        ChunkGrid::make(*make_tensor_layout({16, 4}, Dtype::float32, mesh, rows)));
  } else {
    for (std::int64_t row = 0; row < 16; row += 4) {
      manifest.chunks.append({{row, 0}, {4, 4}});
    }
  }
  manifest.chunks.append(whole_box({8}));
  manifest.locations.resize(manifest.entries.entries.size());
  for (std::size_t i = 0; i < manifest.locations.size(); ++i) {
    manifest.locations[i].address = static_cast<std::int64_t>(8192 + 1024 * i);
  }
  return manifest;
}

void try_manifest(std::span<const std::byte> bytes) {
  const auto manifest = decode_manifest(bytes);
  if (!manifest) {
    return;
  }
  const std::vector<std::int64_t> sizes(manifest->files.size(), std::int64_t{1} << 20);
  const bool located = static_cast<bool>(check_locations(*manifest, sizes));
  constexpr std::uint64_t most = 64;
  for (const Entry& entry : manifest->entries.entries) {
    for (std::uint64_t i = 0; located && i < std::min(most, entry.num_chunks); ++i) {
      const Box box = manifest->chunks.box(entry.first_chunk + i, entry.sizes.ndim());
      if (box.empty() || !contains(whole_box(entry.sizes), box)) {
        std::abort();
      }
    }
  }
  if (!decode_manifest(encode(*manifest))) {
    std::abort();
  }
}

}  // namespace

std::vector<std::vector<std::byte>> fuzz_seeds() {
  return {encode(seed_manifest(false)), encode(seed_manifest(true))};
}

}  // namespace shardmark::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::byte> bytes(reinterpret_cast<const std::byte*>(data),
                               reinterpret_cast<const std::byte*>(data) + size);
  shardmark::testing::try_manifest(bytes);
  if (size >= 8) {
    const std::uint64_t hash = shardmark::xxh3(std::span(bytes).first(size - 8));
    for (std::size_t i = 0; i < 8; ++i) {
      bytes[size - 8 + i] = static_cast<std::byte>(hash >> (8 * i));
    }
    shardmark::testing::try_manifest(bytes);
  }
  return 0;
}
