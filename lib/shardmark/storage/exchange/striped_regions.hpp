// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "shardmark/core/result.hpp"
#include "shardmark/plan/tables/byte_codec.hpp"
#include "shardmark/storage/exchange/regions.hpp"
#include "shardmark/storage/posix/striping.hpp"

namespace shardmark {

// On a file system that cuts files over objects, each on a server of its own, whoever writes into
// an object takes a lock on it that others must first take away. So regions are made of whole
// stripes, and all that have an object in common have one writer.

/// Local. Bytes of the regions of a file with such stripes: whole stripes, of `most_bytes` at most,
/// or an even part of a stripe that is larger. Fewer stripes, though 1 MiB, where larger regions
/// would have so many objects in common that fewer than `num_writers` could write at once.
/// `most_bytes` where nobody knows of stripes.
std::int64_t striped_region_bytes(const StripeComponent& stripes, std::int64_t most_bytes,
                                  int num_writers) noexcept;

/// Local. Gives regions that have an object of their file in common one turn, and deals turns to
/// `num_writers` ranks, who serve them too; turns of a file begin with its first region's number.
/// `regions` as of cut_into_regions(), all of files with these stripes. Regions whose objects
/// nobody knows keep turns of their own.
void deal_by_objects(std::span<Region> regions, const Striping& striping, int num_writers);

void put_striping(ByteWriter& out, const Striping& striping);
/// Local. Where bytes lie, `in` has failed or no such striping could be made of them, it is empty.
Striping take_striping(ByteReader& in);

}  // namespace shardmark
