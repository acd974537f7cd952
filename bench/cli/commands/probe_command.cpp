// SPDX-License-Identifier: Apache-2.0
#include "bench/cli/commands/probe_command.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "bench/harness/measure/file_system_probe.hpp"
#include "bench/text/human_units.hpp"
#include "bench/text/printed_json.hpp"
#include "shardmark/storage/posix/file.hpp"
#include "shardmark/storage/probe/probe.hpp"

namespace shardmark::bench {
namespace {

using nlohmann::ordered_json;

Status check_directory(const std::string& directory) {
  struct stat info {};
  if (::stat(directory.c_str(), &info) != 0) {
    return errno_error("cannot probe", directory, errno);
  }
  return S_ISDIR(info.st_mode) ? Status()
                               : Status(Error{ErrorCode::invalid_argument,
                                              fmt::format("{} is not a directory", directory)});
}

ordered_json number_or_null(std::int64_t number) {
  return number < 0 ? ordered_json(nullptr) : ordered_json(number);
}

std::string json_text(const FileSystemCertificate& found) {
  ordered_json document = {{"directory_mount", found.mount.path},
                           {"type", found.mount.type},
                           {"source", found.mount.source},
                           {"options", found.mount.options},
                           {"hosts", found.hosts},
                           {"kernel", found.kernel},
                           {"program", found.program},
                           {"time", found.time}};
  for (const auto& [name, value] : trait_values(found.traits)) {
    const auto reason = found.reasons.find(name);
    document["traits"][name] = {
        {"value", value},
        {"reason",
         reason == found.reasons.end() ? ordered_json(nullptr) : ordered_json(reason->second)}};
  }
  for (const auto& [name, decision] : decisions(found.traits)) {
    document["decisions"][name] = decision;
  }
  document["weaker"] = weaknesses(found.traits);
  document["free_bytes"] = number_or_null(found.free_bytes);
  document["free_files"] = number_or_null(found.free_files);
  document["call_s"] = found.call_s;
  return printed_json(document);
}

std::string human_text(const FileSystemCertificate& found) {
  std::string text = fmt::format("{} at {} ({})\n  {}\n  tried from {}; kernel {}\n\n",
                                 found.mount.type, found.mount.path, found.mount.source,
                                 found.mount.options, fmt::join(found.hosts, ", "), found.kernel);
  for (const auto& [name, value] : trait_values(found.traits)) {
    const auto reason = found.reasons.find(name);
    text += fmt::format("  {:<17} {:<10} {}\n", name, value,
                        reason == found.reasons.end() ? "" : reason->second);
  }
  text += fmt::format(
      "\nfree: {}, {} files\n",
      found.free_bytes < 0 ? "it does not say" : format_bytes(found.free_bytes),
      found.free_files < 0 ? "it does not say how many" : fmt::format("{}", found.free_files));
  text += "calls:";
  for (const auto& [name, seconds] : found.call_s) {
    text += fmt::format(" {} {};", name, format_seconds(seconds));
  }
  text += "\n\nwhat follows:\n";
  for (const auto& [name, decision] : decisions(found.traits)) {
    text += fmt::format("  {:<17} {}\n", name, decision);
  }
  const auto weaker = weaknesses(found.traits);
  text += weaker.empty() ? "\nnothing is weaker than on a local file system\n"
                         : "\nweaker than on a local file system:\n";
  for (const std::string& weakness : weaker) {
    text += fmt::format("  - {}\n", weakness);
  }
  return text;
}

}  // namespace

Result<CommandOutput> probe_command(const ProbeArguments& arguments, const Communicator& comm) {
  SHARDMARK_RETURN_IF_ERROR(
      comm.agree(comm.is_root() ? check_directory(arguments.directory) : Status()));
  SHARDMARK_ASSIGN_OR_RETURN(const FileSystemCertificate found,
                             probe_file_system(arguments.directory, probing_program(), comm));
  if (!comm.is_root()) {
    return CommandOutput{};
  }
  return CommandOutput{arguments.json ? json_text(found) : human_text(found)};
}

}  // namespace shardmark::bench
