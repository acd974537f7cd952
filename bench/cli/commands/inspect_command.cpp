// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/commands/inspect_command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "bench/text/error_report.hpp"
#include "bench/text/human_units.hpp"
#include "bench/text/printed_json.hpp"
#include "bench/text/table.hpp"
#include "shardmark/checkpoint/inspect.hpp"

namespace shardmark::bench {
namespace {

using nlohmann::ordered_json;

struct Inspection {
  CheckpointSummary checkpoint;
  std::optional<Verification> verification;  // with --verify
  std::optional<Error> failure;              // of the verification
};

ordered_json published_dtype(const Manifest& manifest, std::size_t entry) {
  const std::string_view name = manifest.published_dtype(entry);
  return name.empty() ? ordered_json(nullptr) : ordered_json(name);
}

std::string dtype_text(const Manifest& manifest, std::size_t entry) {
  const Entry& found = manifest.entries.entries[entry];
  if (found.kind == EntryKind::object) {
    return "object";
  }
  const std::string_view published = manifest.published_dtype(entry);
  return published.empty() ? std::string(dtype_name(found.dtype))
                           : fmt::format("{} as {}", published, dtype_name(found.dtype));
}

ordered_json entries_document(const Manifest& manifest, EntryKind kind) {
  ordered_json list = ordered_json::array();
  for (std::size_t i = 0; i < manifest.entries.entries.size(); ++i) {
    const Entry& entry = manifest.entries.entries[i];
    if (entry.kind == kind) {
      list.push_back({{"fqn", entry.fqn},
                      {"dtype", dtype_name(entry.dtype)},
                      {"published_dtype", published_dtype(manifest, i)},
                      {"shape", std::vector<std::int64_t>(entry.sizes.begin(), entry.sizes.end())},
                      {"chunks", entry.num_chunks},
                      {"num_bytes", entry.num_bytes()},
                      {"stored_as", stored_as_name(manifest.locations[i].stored_as)},
                      {"layout_reason", layout_reason_text(manifest.locations[i].reason)}});
    }
  }
  return list;
}

/// Tensors that HDF5 programs see through virtual datasets.
std::int64_t num_virtual_datasets(const Manifest& manifest) {
  if (manifest.files.empty() || !manifest.files.front().ends_with(".h5")) {
    return 0;
  }
  return std::ranges::count(manifest.locations, StoredAs::separate, &EntryLocation::stored_as);
}

std::string json_text(const Inspection& inspection) {
  const Manifest& manifest = inspection.checkpoint.manifest;
  ordered_json document;
  document["step"] = manifest.step;
  document["format_version"] = manifest.version;
  document["world_size"] = manifest.world_size;
  document["seed"] = manifest.seed;
  document["file_layout"] = file_layout_name(manifest.layout);
  document["files"] = ordered_json::array();
  for (const auto& file : inspection.checkpoint.files) {
    document["files"].push_back({{"path", file.path}, {"num_bytes", file.num_bytes}});
  }
  document["tensors"] = entries_document(manifest, EntryKind::tensor);
  document["objects"] = entries_document(manifest, EntryKind::object);
  document["virtual_datasets"] = num_virtual_datasets(manifest);
  document["verified"] = nullptr;
  document["errors"] = ordered_json::array();
  if (inspection.failure) {
    document["verified"] = false;
  }
  if (inspection.verification) {
    if (inspection.verification->has_checksums && !inspection.failure) {
      document["verified"] = true;  // without checksums nothing was, which is neither
    }
    for (const ChunkError& error : inspection.verification->errors) {
      document["errors"].push_back(
          {{"fqn", error.fqn},
           {"offsets", std::vector<std::int64_t>(error.offsets.begin(), error.offsets.end())},
           {"message", error.message}});
    }
  }
  if (inspection.failure) {
    document.update(ordered_json::parse(error_document(*inspection.failure)));
  }
  return printed_json(document);
}

std::string place_of(const ChunkError& error) {
  return error.fqn.empty() && error.offsets.empty()
             ? "outside the tensors"
             : fmt::format("'{}' at {}", error.fqn, to_string(error.offsets));
}

std::string human_text(const Inspection& inspection) {
  const CheckpointSummary& checkpoint = inspection.checkpoint;
  const Manifest& manifest = checkpoint.manifest;
  Table table({{"name"},
               {"dtype"},
               {"shape"},
               {"chunks", Table::Align::right},
               {"bytes", Table::Align::right}});
  std::int64_t num_bytes = 0;
  for (std::size_t i = 0; i < manifest.entries.entries.size(); ++i) {
    const Entry& entry = manifest.entries.entries[i];
    table.add_row({entry.fqn, dtype_text(manifest, i), to_string(entry.sizes),
                   format_count(static_cast<std::int64_t>(entry.num_chunks)),
                   format_count(entry.num_bytes())});
    num_bytes += entry.num_bytes();
  }
  std::string text = fmt::format(
      "{}\nstep {}, saved by {} ranks, seed {}, format {}, file layout {}\n{} entries, {} chunks, {}\n",
      checkpoint.directory, manifest.step, manifest.world_size, manifest.seed, manifest.version,
      file_layout_name(manifest.layout), manifest.entries.entries.size(),
      manifest.entries.num_chunks(), format_bytes(num_bytes));
  for (const auto& file : checkpoint.files) {
    text += fmt::format("  {}  {}\n", file.path, format_bytes(file.num_bytes));
  }
  if (const std::int64_t count = num_virtual_datasets(manifest); count > 0) {
    text += fmt::format(
        "{} tensors are virtual datasets: programs that open the file through MPI-IO cannot read "
        "them, for HDF5 reads none in parallel; layouts shared and shared-chunked have none\n",
        format_count(count));
  }
  if (inspection.verification) {
    text += inspection.failure ? "checksums: DAMAGED\n"
            : !inspection.verification->has_checksums
                ? "checksums: none were saved, nothing to verify\n"
                : "checksums: every byte is as written\n";
    for (const ChunkError& error : inspection.verification->errors) {
      text += fmt::format("  {}: {}\n", place_of(error), error.message);
    }
  }
  return text + "\n" + table.text(text_style(stdout));
}

/// What --verify prints of a checkpoint that cannot be believed, or read, outside its tensors
/// either.
std::string failed_inspection_text(const Error& error) {
  ordered_json document;
  for (const char* key : {"step", "format_version", "world_size", "seed", "file_layout", "files",
                          "tensors", "objects"}) {
    document[key] = nullptr;
  }
  document["verified"] = false;
  document["errors"] = ordered_json::array();
  document.update(ordered_json::parse(error_document(error)));
  return printed_json(document);
}

}  // namespace

Result<CommandOutput> inspect_command(const InspectArguments& arguments) {
  Inspection inspection;
  auto checkpoint = inspect_checkpoint(arguments.directory, arguments.step);
  if (!checkpoint && exit_code(checkpoint.error().code) == 1 && arguments.verify) {
    return CommandOutput{arguments.json ? failed_inspection_text(checkpoint.error()) : "",
                         checkpoint.error()};
  }
  SHARDMARK_RETURN_IF_ERROR(checkpoint);
  inspection.checkpoint = std::move(*checkpoint);
  if (arguments.verify) {
    auto verification = verify_checkpoint(inspection.checkpoint);
    if (!verification) {
      inspection.failure = verification.error();
      return CommandOutput{arguments.json ? json_text(inspection) : "", inspection.failure};
    }
    inspection.verification = std::move(*verification);
    const std::vector<ChunkError>& errors = inspection.verification->errors;
    if (!errors.empty()) {
      inspection.failure = Error{ErrorCode::data_loss,
                                 fmt::format("{}: {} damaged chunks or files, the first {}: {}",
                                             inspection.checkpoint.directory, errors.size(),
                                             place_of(errors.front()), errors.front().message)};
    }
  }
  return CommandOutput{arguments.json ? json_text(inspection) : human_text(inspection),
                       inspection.failure};
}

}  // namespace shardmark::bench
