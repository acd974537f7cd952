// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/directory/removal.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include "shardmark/storage/directory/owner_record.hpp"
#include "shardmark/storage/directory/step_names.hpp"
#include "shardmark/storage/format/commit_record.hpp"
#include "shardmark/storage/format/played_mark.hpp"
#include "shardmark/storage/posix/file.hpp"
#include "shardmark/storage/posix/folder.hpp"

namespace shardmark {
namespace {

/// Removes those names that `is_ours` wants, then the owner and the folder if nothing else is left.
/// The owner stays where something of ours does: it tells the next who looks that nobody lives
/// here, at once.
bool remove_those(const std::string& path, const std::function<bool(const std::string&)>& is_ours,
                  const std::function<void()>& let_go) {
  const auto names = list_folder(path);
  if (!names) {
    return names.error().code == ErrorCode::not_found;
  }
  bool some_stayed = false;
  for (const std::string& name : *names) {
    if (name != owner_file_name && is_ours(name)) {
      std::error_code failed;
      std::filesystem::remove_all(std::filesystem::path(path) / name, failed);
      // A client of NFS keeps what is open under such a name until it is closed.
      some_stayed = some_stayed || (failed && !name.starts_with(".nfs"));
    }
  }
  if (let_go) {
    let_go();
  }
  if (some_stayed) {
    return false;
  }
  ::unlink((path + "/" + owner_file_name).c_str());
  return ::rmdir(path.c_str()) == 0 || errno == ENOENT;
}

/// What no step is made of: names that NFS keeps, and what ceilings, probes and peers work with.
bool is_scratch(const std::string& name) {
  return name.starts_with(".nfs") || name.starts_with(".ceiling-") ||
         name.starts_with(".shardmark-");
}

bool is_of_run(const std::string& path, const std::string& name, const std::string& run_id) {
  if (is_partial_name(name)) {
    return save_id_of_partial(name).starts_with(run_id);
  }
  if (step_of_name(name)) {
    const std::string commit = path + "/" + name + "/" + commit_file_name;
    const auto text = read_small_file(commit, max_commit_bytes);
    const auto record =
        text ? parse_commit_record(*text, commit) : Result<CommitRecord>(text.error());
    return record && record->save_id.starts_with(run_id);
  }
  if (step_of_played_name(name)) {
    const std::string played = path + "/" + name + "/" + played_file_name;
    const auto text = read_small_file(played, max_commit_bytes);
    const auto mark = text ? parse_played_mark(*text, played) : Result<PlayedMark>(text.error());
    return mark && mark->record.save_id.starts_with(run_id);
  }
  return is_swept_name(name) || name == owner_file_name || is_scratch(name);
}

}  // namespace

bool remove_folder(const std::string& path, const std::function<void()>& let_go) {
  return remove_those(
      path, [](const std::string&) { return true; }, let_go);
}

bool is_used_up(const std::string& path) {
  const auto names = list_folder(path);
  return names && std::ranges::all_of(*names, is_scratch);
}

std::optional<bool> remove_used_up(const std::string& path) {
  const auto names = list_folder(path);
  if (!names || !std::ranges::all_of(*names, is_scratch)) {
    return std::nullopt;
  }
  for (const std::string& name : *names) {
    std::error_code failed;
    std::filesystem::remove_all(std::filesystem::path(path) / name, failed);
  }
  return ::rmdir(path.c_str()) == 0 || errno == ENOENT;
}

std::string foreign_name_in_run(const std::string& path, const std::string& run_id) {
  const auto names = list_folder(path);
  if (!names) {
    return "what cannot be listed";
  }
  const auto found = std::ranges::find_if(
      *names, [&](const std::string& name) { return !is_of_run(path, name, run_id); });
  return found == names->end() ? std::string() : *found;
}

bool remove_run_folder(const std::string& path, const std::string& run_id,
                       const std::function<void()>& let_go) {
  return remove_those(
      path, [&](const std::string& name) { return is_of_run(path, name, run_id); }, let_go);
}

std::string hide_run_folder(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string name = path.substr(slash + 1);
  const auto run_id = run_id_of_name(name);
  if (!run_id || !foreign_name_in_run(path, *run_id).empty()) {
    return path;
  }
  const std::string hidden = path.substr(0, slash + 1) + swept_name(name);
  return std::rename(path.c_str(), hidden.c_str()) == 0 ? hidden : path;
}

}  // namespace shardmark
