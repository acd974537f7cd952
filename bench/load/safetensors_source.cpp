// SPDX-License-Identifier: Apache-2.0
#include "bench/load/safetensors_source.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include "shardmark/core/by_rank.hpp"
#include "shardmark/core/checksum.hpp"
#include "shardmark/storage/directory/step_names.hpp"
#include "shardmark/storage/posix/file.hpp"
#include "shardmark/workload/safetensors_model.hpp"

namespace shardmark::bench {
namespace {

namespace fs = std::filesystem;

void append(const SafetensorsEntry& source, std::uint64_t file, Manifest& manifest) {
  Entry entry{source.name,  EntryKind::tensor,      source.dtype,
              source.shape, manifest.chunks.size(), 0};
  EntryLocation location;
  location.file = file;
  if (const Box whole = whole_box(source.shape); !whole.empty()) {
    entry.num_chunks = 1;
    location.address = static_cast<std::int64_t>(source.address);
    manifest.chunks.append(whole);
  }
  manifest.entries.entries.push_back(std::move(entry));
  manifest.locations.push_back(location);
}

/// The checksum of a box's elements in its own order, read row by row.
Result<std::uint64_t> checksum_in_file(const FileDescriptor& file, const std::string& path,
                                       const Entry& entry, std::int64_t address, const Box& box) {
  StreamingChecksum checksum;
  std::vector<std::byte> row;
  Status read;
  const std::int64_t itemsize = element_size(entry.dtype);
  constexpr std::int64_t most = std::int64_t{4} << 20;  // bytes at once
  for_each_run(box, entry.sizes, [&](std::int64_t element, std::int64_t count) {
    std::int64_t at = address + element * itemsize;
    for (std::int64_t left = count * itemsize; left > 0 && read;) {
      row.resize(static_cast<std::size_t>(std::min(left, most)));
      read = read_at(file, path, row, at);
      checksum.update(row);
      at += static_cast<std::int64_t>(row.size());
      left -= static_cast<std::int64_t>(row.size());
    }
  });
  SHARDMARK_RETURN_IF_ERROR(read);
  return checksum.digest();
}

Result<fs::path> behind_links(const fs::path& path) {
  std::error_code failure;
  fs::path place = fs::canonical(path, failure);
  if (failure) {
    return Error{ErrorCode::not_found, fmt::format("{}: {}", path.string(), failure.message())};
  }
  return place;
}

}  // namespace

bool is_safetensors(const std::string& from) {
  std::error_code ignored;
  if (!fs::is_directory(from, ignored)) {
    return from.ends_with(".safetensors") || from.ends_with(".safetensors.index.json");
  }
  bool any = false;
  for (fs::directory_iterator entry(from, ignored), end; !ignored && entry != end;
       entry.increment(ignored)) {
    const std::string name = entry->path().filename();
    if (step_of_name(name) || step_of_played_name(name)) {
      return false;
    }
    any = any || name.ends_with(".safetensors");
  }
  return any;
}

Result<std::shared_ptr<const ForeignFiles>> open_safetensors(const std::string& from) {
  SHARDMARK_ASSIGN_OR_RETURN(auto entries, read_safetensors_entries(from));
  std::ranges::sort(entries, {}, &SafetensorsEntry::name);
  auto source = std::make_shared<ForeignFiles>();
  const fs::path folder = fs::path(entries.front().file).parent_path();
  SHARDMARK_ASSIGN_OR_RETURN(const fs::path directory,
                             behind_links(folder.empty() ? fs::path(".") : folder));
  source->directory = directory.string();
  std::map<std::string, std::uint64_t> files;
  for (const SafetensorsEntry& entry : entries) {
    if (fs::path(entry.file).parent_path() != folder) {
      return Error{ErrorCode::invalid_argument, fmt::format("{} and {} lie in different folders",
                                                            entries.front().file, entry.file)};
    }
    const auto [file, is_new] =
        files.emplace(fs::path(entry.file).filename(), source->manifest.files.size());
    if (is_new) {
      // The hub's cache has links, which nobody follows that opens files to read elements.
      SHARDMARK_ASSIGN_OR_RETURN(const fs::path place, behind_links(entry.file));
      source->manifest.files.push_back(place.lexically_relative(directory).string());
    }
    append(entry, file->second, source->manifest);
  }
  source->manifest.checksum = ChecksumKind::none;
  return std::shared_ptr<const ForeignFiles>(std::move(source));
}

Status check_has_tensors(const StateDict& wanted, const ForeignFiles& source) {
  for (const StateDictEntry& entry : wanted.entries()) {
    if (entry.tensor != nullptr && !source.manifest.entries.find(entry.fqn)) {
      return Error{ErrorCode::not_found,
                   fmt::format("'{}' is not in these files; they have no optimizer's state "
                               "(model.optimizer = \"none\"), and model.safetensors names their "
                               "model",
                               entry.fqn)};
    }
  }
  return {};
}

Status compare_with_files(const StateDict& loaded, const ForeignFiles& source) {
  const Manifest& manifest = source.manifest;
  for (const StateDictEntry& wanted : loaded.entries()) {
    const auto found = manifest.entries.find(wanted.fqn);
    if (wanted.tensor == nullptr || !found) {
      continue;
    }
    const EntryLocation& location = manifest.locations[*found];
    const std::string path = source.directory + "/" + of_rank(manifest.files, location.file);
    SHARDMARK_ASSIGN_OR_RETURN(const FileDescriptor file, open_file(path, O_RDONLY));
    SHARDMARK_ASSIGN_OR_RETURN(const auto boxes, wanted.tensor->create_chunk_list());
    for (const Box& box : boxes) {
      if (box.empty()) {
        continue;
      }
      SHARDMARK_ASSIGN_OR_RETURN(
          const ConstTensorView elements,
          wanted.tensor->get_tensor_shard({wanted.fqn, box.offsets, std::nullopt}));
      SHARDMARK_ASSIGN_OR_RETURN(
          const std::uint64_t expected,
          checksum_in_file(file, path, manifest.entries.entries[*found], location.address, box));
      if (xxh3(elements) != expected) {
        return Error{ErrorCode::data_loss,
                     fmt::format("'{}' at {}: what was loaded is not what {} holds", wanted.fqn,
                                 to_string(box.offsets), path)};
      }
    }
  }
  return {};
}

}  // namespace shardmark::bench
