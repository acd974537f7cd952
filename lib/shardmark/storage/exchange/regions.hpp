// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "shardmark/core/result.hpp"

namespace shardmark {

/// Bytes [begin, end) of a file.
struct ByteRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;

  std::int64_t num_bytes() const noexcept { return end - begin; }
  bool empty() const noexcept { return begin >= end; }
  friend bool operator==(const ByteRange&, const ByteRange&) = default;
};

/// Local. All lists are ascending and their ranges do not touch each other. What `ranges` have and
/// `without` has not; what both have; every block that a range touches, whole.
std::vector<ByteRange> subtract(std::span<const ByteRange> ranges,
                                std::span<const ByteRange> without);
std::vector<ByteRange> intersect(std::span<const ByteRange> ranges, ByteRange with);
std::vector<ByteRange> whole_blocks(std::span<const ByteRange> ranges, std::int64_t block);
/// Local. Ascending and merged, whatever the order.
std::vector<ByteRange> merged(std::vector<ByteRange> ranges);

/// Local. The size of the regions that files are dealt to writers in: the least multiple of the
/// file system's stripe from 4 MiB up, 16 MiB without stripes (0).
std::int64_t region_bytes_for(std::int64_t stripe_bytes) noexcept;

/// A file as the exchange sees it, the same on all ranks. Its elements lie in [0, num_bytes); a
/// block of it has one writer: its region's, or the keeper where one of its bytes is the keeper's.
struct ExchangedFile {
  std::uint64_t file = 0;          // number among the save's files
  std::int64_t num_bytes = 0;      // up to the last element's block, never behind the end
  int keeper = 0;                  // the rank that made the file and still writes into it
  std::vector<ByteRange> outside;  // bytes that hold no element, within num_bytes
  std::vector<ByteRange> kept;     // whole blocks, cut at num_bytes: the keeper's

  /// Local. Unused bytes of blocks that the keeper has no byte in: to be written as zeros.
  std::vector<ByteRange> gaps() const { return subtract(outside, kept); }
  /// Local. Elements in the keeper's blocks.
  std::vector<ByteRange> kept_elements() const { return subtract(kept, outside); }
};

/// Local. `elements`: the ranges of the file that hold elements or their padding; `foreign`: bytes
/// that the keeper writes, or has written, by other ways. The file's last block is the keeper's if
/// the file ends inside it.
ExchangedFile make_exchanged_file(std::uint64_t file, std::int64_t file_bytes, int keeper,
                                  std::vector<ByteRange> elements, std::vector<ByteRange> foreign,
                                  std::int64_t block);

std::vector<std::byte> encode(std::span<const ExchangedFile> files);
/// Local. Errors: data_loss for bytes that encode() cannot have written.
Result<std::vector<ExchangedFile>> decode_exchanged_files(std::span<const std::byte> bytes,
                                                          int num_ranks);

/// A part of a file that is written by one rank.
struct Region {
  std::size_t number = 0;  // among the regions of all files, the same on all ranks
  std::size_t file = 0;    // position in the list of this node's
  ByteRange bytes;
  int writer = 0;         // of all ranks
  int server = 0;         // of this rank's node: who deals with what the node has here
  bool has_kept = false;  // blocks of the keeper with elements
  std::size_t turn = 0;   // regions of one turn have one writer
  bool striped = false;   // over objects of the file system, which ranks know
  bool travels = false;   // this node writes nothing of it, however large
};

/// Local. By file, the number of its first region.
std::vector<std::size_t> first_regions(std::span<const ExchangedFile> files,
                                       std::int64_t region_bytes);
/// Local. All regions of the files, in the order in which every rank walks them, dealt to
/// `num_writers` ranks in turn, who serve them too. `first`: of these files, where other ranks have
/// others to do with.
std::vector<Region> cut_into_regions(std::span<const ExchangedFile> files,
                                     std::span<const std::size_t> first, std::int64_t region_bytes,
                                     int num_writers);
std::vector<Region> cut_into_regions(std::span<const ExchangedFile> files,
                                     std::int64_t region_bytes, int num_writers);

/// The ranks among whom regions are dealt, by rank.
struct Dealing {
  std::span<const int> node_of_rank;
  /// A data file is written by its own ranks alone; the first file, 0, by all. Empty: there is none
  /// but the first.
  std::span<const std::int64_t> file_of_rank;
  int writers_a_node = 0;  // of each file: the first so many; 0: all
  /// Of a striped file, what a region has goes to its writer, so that each object has one writer.
  bool objects_apart = false;

  bool writes_to(std::size_t rank, std::uint64_t file) const noexcept {
    return file == 0 || file_of_rank.empty() ||
           file_of_rank[rank] == static_cast<std::int64_t>(file);
  }
};

/// Local. For ranks on several nodes: turns are dealt to all nodes, and on each to its ranks; a
/// region that is written elsewhere is served by any. `rank` says whose node is meant.
void deal_to_nodes(std::span<Region> regions, std::span<const ExchangedFile> files,
                   const Dealing& dealing, int rank);

/// What becomes of the bytes that a node has in a region.
struct DealtBytes {
  std::vector<ByteRange> own;        // whole blocks that the node writes itself
  std::vector<ByteRange> to_writer;  // what the region's writer puts together
  std::vector<ByteRange> to_keeper;  // where that is another rank
  std::int64_t own_bytes = 0;        // elements that the writer need not wait for
};

/// Local. `placed`: the node's elements in its staging, ascending; `straight`: whole blocks of
/// elements that its ranks write from their own memory. Stretches of whole blocks from
/// `least_own_bytes` up, straight ones included, stay the node's own, unless the region travels.
DealtBytes deal_bytes(const ExchangedFile& file, const Region& region,
                      std::span<const ByteRange> placed, std::span<const ByteRange> straight,
                      std::int64_t least_own_bytes, std::int64_t block);

/// Local. What both lists have, each as above; the bytes of a list.
std::vector<ByteRange> intersect(std::span<const ByteRange> a, std::span<const ByteRange> b);
std::int64_t num_bytes(std::span<const ByteRange> ranges) noexcept;

}  // namespace shardmark
