// SPDX-License-Identifier: Apache-2.0
#include "shardmark/plan/tables/chunk_table.hpp"

#include <algorithm>
#include <array>
#include <unordered_map>

namespace shardmark {
namespace {

constexpr std::uint64_t listed_kind = 0;
constexpr std::uint64_t layouts_kind = 1;
constexpr std::int64_t max_rank = std::int64_t{1} << 31;

void encode_listed(const ChunkTable& chunks, const Entry& entry, ByteWriter& out) {
  out.counts(chunks.coordinates_of(entry));
}

void decode_listed(ByteReader& in, const Entry& entry, ChunkTable& chunks) {
  const int ndim = entry.sizes.ndim();
  const Box whole = whole_box(entry.sizes);
  Dims previous;
  for (std::uint64_t i = 0; i < entry.num_chunks && in.ok(); ++i) {
    Box box;
    box.offsets = in.dims(ndim);
    box.sizes = in.dims(ndim);
    // Sizes are bounded first: then no sum below can overflow.
    for (int d = 0; d < ndim; ++d) {
      if (box.sizes[d] > entry.sizes[d] || box.offsets[d] > entry.sizes[d]) {
        in.fail("chunk outside its tensor");
      }
    }
    if (in.ok() && (box.empty() || !contains(whole, box))) {
      in.fail("chunk empty or outside its tensor");
    }
    if (in.ok() && i > 0 && !(previous < box.offsets)) {
      in.fail("chunks out of order");
    }
    previous = box.offsets;
    chunks.append(box);
  }
}

/// Mesh and placements as bytes: tensors of different shapes share them.
std::string layout_text(const TensorLayout& layout) {
  ByteWriter out;
  encode_layout(layout, out);
  return {reinterpret_cast<const char*>(out.bytes().data()), out.size()};
}

void encode_kinds(const ChunkTable& chunks, const EntryTable& entries, ByteWriter& out) {
  std::unordered_map<std::string, std::uint64_t> number_of;
  std::unordered_map<const ChunkGrid*, std::uint64_t> number_of_grid;
  std::vector<std::string> texts;
  std::vector<std::uint64_t> kinds;
  kinds.reserve(entries.entries.size());
  for (const Entry& entry : entries.entries) {
    const ChunkGrid* grid = chunks.grid_of(entry);
    if (grid == nullptr) {
      kinds.push_back(0);
      continue;
    }
    // By address first: tensors of one shape and layout share the grid, and its text need not be
    // made again.
    auto [known, added] = number_of_grid.try_emplace(grid, 0);
    if (added) {
      std::string text = layout_text(grid->layout());
      const auto [at, is_new] = number_of.try_emplace(text, texts.size() + 1);
      if (is_new) {
        texts.push_back(std::move(text));
      }
      known->second = at->second;
    }
    kinds.push_back(known->second);
  }
  out.varint(texts.size());
  for (const std::string& text : texts) {
    out.raw(std::as_bytes(std::span(text)));
  }
  for (const std::uint64_t kind : kinds) {
    out.varint(kind);
  }
}

}  // namespace

void ChunkTable::append(int ndim, std::uint64_t num_chunks,
                        std::span<const std::int64_t> coordinates) {
  if (num_chunks == 0) {
    return;
  }
  // Listed entries of one ndim in a row share a segment: there are few, however many the tensors.
  const auto stride = 2 * static_cast<std::uint64_t>(ndim);
  if (segments_.empty() || segments_.back().grid != nullptr || segments_.back().stride != stride) {
    segments_.push_back({size_, coordinates_.size(), stride, nullptr});
  }
  coordinates_.insert(coordinates_.end(), coordinates.begin(), coordinates.end());
  size_ += num_chunks;
}

void ChunkTable::append(const Box& box) {
  std::array<std::int64_t, 2 * max_ndim> coordinates{};
  const std::size_t ndim = box.sizes.size();
  std::copy(box.offsets.begin(), box.offsets.end(), coordinates.begin());
  std::copy(box.sizes.begin(), box.sizes.end(), coordinates.data() + ndim);
  append(box.ndim(), 1, std::span(coordinates).first(2 * ndim));
}

void ChunkTable::append(std::shared_ptr<const ChunkGrid> grid) {
  if (const std::uint64_t num_chunks = grid->num_chunks(); num_chunks > 0) {
    segments_.push_back({size_, 0, 0, std::move(grid)});
    size_ += num_chunks;
    has_grids_ = true;
  }
}

const ChunkTable::Segment& ChunkTable::segment_of(std::uint64_t index) const noexcept {
  // Listed chunks of one ndim: saves the search, which is per chunk.
  if (segments_.size() == 1) {
    return segments_.front();
  }
  const auto after =
      std::upper_bound(segments_.begin(), segments_.end(), index,
                       [](std::uint64_t value, const Segment& s) { return value < s.first; });
  return *(after - 1);
}

Box ChunkTable::box(std::uint64_t index, int ndim) const noexcept {
  const Segment& segment = segment_of(index);
  if (segment.grid != nullptr) {
    return segment.grid->box(index - segment.first);
  }
  const std::int64_t* at =
      coordinates_.data() + segment.start + (index - segment.first) * segment.stride;
  Box box = whole_box(Dims::filled(ndim, 0));
  std::copy_n(at, ndim, box.offsets.begin());
  std::copy_n(at + ndim, ndim, box.sizes.begin());
  return box;
}

std::span<const std::int64_t> ChunkTable::coordinates_of(const Entry& entry) const noexcept {
  if (entry.num_chunks == 0) {
    return {};
  }
  const Segment& segment = segment_of(entry.first_chunk);
  return std::span(coordinates_)
      .subspan(segment.start + (entry.first_chunk - segment.first) * segment.stride,
               entry.num_chunks * segment.stride);
}

const ChunkGrid* ChunkTable::grid_of(const Entry& entry) const noexcept {
  return entry.num_chunks == 0 ? nullptr : segment_of(entry.first_chunk).grid.get();
}

std::shared_ptr<const ChunkGrid> ChunkTable::shared_grid_of(const Entry& entry) const noexcept {
  return entry.num_chunks == 0 ? nullptr : segment_of(entry.first_chunk).grid;
}

void encode(const ChunkTable& chunks, const EntryTable& entries, ByteWriter& out) {
  out.varint(chunks.has_grids() ? layouts_kind : listed_kind);
  if (chunks.has_grids()) {
    encode_kinds(chunks, entries, out);
  }
  for (const Entry& entry : entries.entries) {
    if (chunks.grid_of(entry) == nullptr) {
      encode_listed(chunks, entry, out);
    }
  }
}

Result<ChunkTable> decode_chunk_table(ByteReader& in, const EntryTable& entries) {
  const std::uint64_t kind = in.varint();
  if (kind > layouts_kind) {
    in.fail("unknown kind of chunk table");
  }
  std::vector<TensorLayout> layouts;
  std::vector<std::uint64_t> layout_of(entries.entries.size(), 0);
  if (kind == layouts_kind) {
    const std::size_t num_layouts = in.length(2);
    for (std::size_t i = 0; i < num_layouts && in.ok(); ++i) {
      layouts.push_back(decode_layout(in));
    }
    for (std::uint64_t& number : layout_of) {
      number = static_cast<std::uint64_t>(in.count(static_cast<std::int64_t>(layouts.size())));
    }
  }
  ChunkTable chunks;
  GridCache grids;
  for (std::size_t i = 0; i < entries.entries.size() && in.ok(); ++i) {
    const Entry& entry = entries.entries[i];
    if (layout_of[i] == 0) {
      decode_listed(in, entry, chunks);
      continue;
    }
    TensorLayout layout = layouts[layout_of[i] - 1];
    layout.global_sizes = entry.sizes;
    layout.dtype = entry.dtype;
    // What the file says of the number of chunks must be what its layout gives: all positions
    // behind it depend on that.
    auto grid = grids.get(layout);
    if (grid == nullptr || grid->num_chunks() != entry.num_chunks || entry.num_chunks == 0) {
      in.fail("layout that does not fit its tensor");
      break;
    }
    chunks.append(std::move(grid));
  }
  SHARDMARK_RETURN_IF_ERROR(in.status("chunk table"));
  return chunks;
}

void encode_layout(const TensorLayout& layout, ByteWriter& out) {
  out.varint(layout.mesh.shape().size());
  out.dims(layout.mesh.shape());
  out.dims(layout.mesh.strides());
  out.count(layout.mesh.first_rank());
  for (const Placement& placement : layout.placements()) {
    out.varint(static_cast<std::uint64_t>(placement.kind));
    if (placement.kind == PlacementKind::replicate || placement.kind == PlacementKind::partial) {
      continue;
    }
    out.count(placement.dim + max_ndim);  // dimensions may be counted from the end
    if (placement.kind == PlacementKind::strided_shard) {
      out.count(placement.split_factor);
    }
  }
}

TensorLayout decode_layout(ByteReader& in) {
  TensorLayout layout;
  const auto ndim = static_cast<int>(in.count(max_ndim));
  const Dims shape = in.dims(ndim);
  const Dims strides = in.dims(ndim);
  const std::int64_t first_rank = in.count(max_rank);
  if (std::any_of(strides.begin(), strides.end(), [](std::int64_t s) { return s > max_rank; })) {
    in.fail("mesh stride above 2^31");
    return layout;
  }
  auto mesh = DeviceMesh::strided(shape, strides, first_rank);
  if (!mesh) {
    in.fail("mesh that is none");
    return layout;
  }
  layout.mesh = *mesh;
  for (int m = 0; m < ndim; ++m) {
    Placement& placement = layout.placement_storage[static_cast<std::size_t>(m)];
    placement.kind =
        static_cast<PlacementKind>(in.count(static_cast<std::int64_t>(PlacementKind::partial)));
    if (placement.kind == PlacementKind::shard || placement.kind == PlacementKind::strided_shard) {
      placement.dim = static_cast<std::int32_t>(in.count(2 * max_ndim)) - max_ndim;
    }
    if (placement.kind == PlacementKind::strided_shard) {
      placement.split_factor = in.count();
    }
  }
  return layout;
}

}  // namespace shardmark
