// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/null/null_writer.hpp"

#include "shardmark/core/checksum.hpp"
#include "shardmark/storage/format/commit_record.hpp"

namespace shardmark {

Status NullWriter::create(const SaveTarget& target) {
  target.manifest->files = {entry_file_name};
  target.manifest->locations.assign(target.entries->entries.size(), {});
  return {};
}

Status NullWriter::write(std::span<const WriteTask> tasks) {
  for (const WriteTask& task : tasks) {
    if (checksum_ == ChecksumKind::xxh3) {
      const ScopedPhase stage(clock_, Phase::stage);
      HashCounters& hashed =
          task.elements.is_contiguous() ? counters_.hashed_contiguous : counters_.hashed_strided;
      const auto start = PhaseClock::Clock::now();
      digest_ ^= xxh3(task.elements);
      hashed.seconds += std::chrono::duration<double>(PhaseClock::Clock::now() - start).count();
      hashed.num_bytes += task.elements.num_bytes();
    }
    counters_.bytes_written += task.elements.num_bytes();
    ++counters_.write_requests;
  }
  return {};
}

}  // namespace shardmark
