// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/exchange/region_output.hpp"

#include "shardmark/core/checksum.hpp"

namespace shardmark {

Status RegionOutput::write(std::size_t file, std::span<const std::byte> bytes,
                           std::int64_t offset) {
  const RawFile& to = *open_files_[file];
  const auto num_bytes = static_cast<std::int64_t>(bytes.size());
  const bool aligned = offset % to.block() == 0 && num_bytes % to.block() == 0;
  const bool past_cache = to.o_direct() && aligned;
  {
    const std::lock_guard lock(mutex_);
    ++own_.write_requests;
    own_.bytes_o_direct += past_cache ? num_bytes : 0;
    own_.small_requests += num_bytes < small_request_bytes ? 1 : 0;
    own_.misaligned_requests += aligned ? 0 : 1;
  }
  return to.write(bytes, offset, past_cache);
}

Status RegionOutput::write_kept(std::size_t file, std::span<const std::byte> bytes,
                                std::int64_t offset) {
  const RawFile& to = *open_files_[file];
  const auto num_bytes = static_cast<std::int64_t>(bytes.size());
  SHARDMARK_RETURN_IF_ERROR(to.write(bytes, offset, false));
  const std::lock_guard lock(mutex_);
  edges_.push_back({&to, offset, num_bytes, xxh3(bytes)});
  ++own_.write_requests;
  ++own_.misaligned_requests;
  own_.small_requests += num_bytes < small_request_bytes ? 1 : 0;
  return {};
}

void RegionOutput::note(const Status& status) {
  if (status) {
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    failed_ = failed_ ? status : failed_;
  }
  staging_.fail();
}

void RegionOutput::add_to(WriteCounters& counters) const {
  const std::lock_guard lock(mutex_);
  counters.write_requests += own_.write_requests;
  counters.bytes_o_direct += own_.bytes_o_direct;
  counters.small_requests += own_.small_requests;
  counters.misaligned_requests += own_.misaligned_requests;
}

Status RegionOutput::status() const {
  const std::lock_guard lock(mutex_);
  return failed_;
}

}  // namespace shardmark
