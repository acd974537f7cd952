// SPDX-License-Identifier: Apache-2.0
#include "shardmark/checkpoint/visibility.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <chrono>
#include <thread>
#include <vector>

#include "shardmark/checkpoint/checkpoint_files.hpp"
#include "shardmark/plan/tables/chunk_numbers.hpp"
#include "shardmark/storage/directory/committed_steps.hpp"
#include "shardmark/storage/raw/stored_chunk.hpp"

namespace shardmark {
namespace {

/// A small chunk, so that what is timed is the way to it and not its size.
constexpr std::int64_t small_enough_bytes = std::int64_t{1} << 20;

struct Sample {
  bool found = false;
  std::size_t entry = 0;
  std::uint64_t chunk = 0;
  std::int64_t num_bytes = 0;
};

/// By file: its first small chunk, or its smallest one.
std::vector<Sample> one_chunk_a_file(const Manifest& manifest) {
  std::vector<Sample> samples(manifest.files.size());
  for (std::size_t e = 0; e < manifest.entries.entries.size(); ++e) {
    const Entry& entry = manifest.entries.entries[e];
    for (const std::uint64_t c : ChunkNumbers(entry)) {
      Sample& sample = samples[manifest.piece_of(e, c).file];
      const Box box = manifest.chunks.box(c, entry.sizes.ndim());
      const std::int64_t num_bytes = box.num_elements() * element_size(entry.dtype);
      if (!sample.found ||
          (sample.num_bytes > small_enough_bytes && num_bytes < sample.num_bytes)) {
        sample = {true, e, c, num_bytes};
      }
    }
  }
  return samples;
}

}  // namespace

Status check_visible(const std::string& directory, std::int64_t step, const ObserverPart& part) {
  SHARDMARK_ASSIGN_OR_RETURN(const OpenCheckpoint checkpoint, open_checkpoint(directory, step));
  const Manifest& manifest = checkpoint.manifest;
  SHARDMARK_ASSIGN_OR_RETURN(const std::vector<std::uint64_t> checksums,
                             read_checksums(checkpoint.directory, manifest));
  const std::vector<Sample> samples = one_chunk_a_file(manifest);
  StoredChunkHasher hasher;
  for (std::size_t f = 0; f < samples.size(); ++f) {
    const Sample& sample = samples[f];
    if (!sample.found || static_cast<int>(f) % part.count != part.index) {
      continue;
    }
    const std::string path = checkpoint.directory + "/" + manifest.files[f];
    SHARDMARK_ASSIGN_OR_RETURN(const FileDescriptor file, open_file(path, O_RDONLY));
    const Entry& entry = manifest.entries.entries[sample.entry];
    SHARDMARK_ASSIGN_OR_RETURN(
        const std::uint64_t stored,
        hasher.hash(file, path, manifest.piece_of(sample.entry, sample.chunk),
                    element_size(entry.dtype),
                    manifest.chunks.box(sample.chunk, entry.sizes.ndim())));
    if (!checksums.empty() && stored != checksums[sample.chunk]) {
      return Error{ErrorCode::data_loss,
                   fmt::format("'{}': an observer found another checksum in {}", entry.fqn, path)};
    }
  }
  return {};
}

Result<std::int64_t> wait_until_visible(const std::string& directory, std::int64_t step,
                                        const ObserverPart& part, const Patience& patience) {
  using Clock = std::chrono::steady_clock;
  const auto seconds_since = [](Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  const std::string commit = directory + "/" + step_name(step) + "/" + commit_file_name;
  const Clock::time_point start = Clock::now();
  Clock::time_point last_without_failure = start;
  for (std::int64_t looks = 1;; ++looks) {
    // The cheapest question first: asking must not disturb the save.
    const auto there = file_size(commit);
    const Status seen = there ? check_visible(directory, step, part) : Status(there);
    if (seen) {
      return looks;
    }
    // Another client may show names before sizes, and sizes before bytes. A storage that fails
    // again and again is no client that is late.
    const ErrorCode code = seen.error().code;
    if (code != ErrorCode::io_error) {
      last_without_failure = Clock::now();
    }
    if (seconds_since(start) > patience.missing_s ||
        seconds_since(last_without_failure) > patience.failing_s) {
      return Error{code == ErrorCode::not_found ? ErrorCode::io_error : code,
                   fmt::format("step {} is committed in {} and an observer does not see it whole "
                               "after {:.3g} s and {} looks: {}",
                               step, directory, seconds_since(start), looks, seen.error().message)};
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

}  // namespace shardmark
