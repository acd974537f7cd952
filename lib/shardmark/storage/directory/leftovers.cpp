// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/directory/leftovers.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <optional>

#include "shardmark/storage/directory/owner_record.hpp"
#include "shardmark/storage/directory/removal.hpp"
#include "shardmark/storage/directory/step_names.hpp"
#include "shardmark/storage/directory/unfinished.hpp"
#include "shardmark/storage/posix/file.hpp"
#include "shardmark/storage/posix/folder.hpp"

namespace shardmark {
namespace {

constexpr std::int64_t max_owner_bytes = 65536;

// Some heartbeats, and what a client of a network file system may be late with one.
constexpr double heartbeats_of_a_living_s = 60;

double seconds_of(const timespec& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

/// One sweep of one directory.
class Sweep {
 public:
  Sweep(const std::string& directory, const SweepRules& rules)
      : directory_(directory), rules_(rules) {}

  Result<SweepReport> run() {
    SHARDMARK_ASSIGN_OR_RETURN(const auto names, list_folder(directory_));
    for (const std::string& name : names) {
      const bool ours = is_partial_name(name) || is_swept_name(name) || is_probe_name(name) ||
                        run_id_of_name(name);
      if (ours && is_real_folder(directory_ + "/" + name)) {
        look_at(name);
      }
    }
    return std::move(report_);
  }

 private:
  /// The time by the file system's own clock: that of something just made there. Node clocks
  /// differ.
  std::optional<double> file_system_now() {
    if (!asked_clock_) {
      asked_clock_ = true;
      const std::string folder = directory_ + "/" + swept_name(step_name(0));
      // A signal must not end this in between; and another sweep may be faster with it.
      constexpr int max_tries = 10;
      const auto held = hold_unfinished();
      for (int tries = 0; tries < max_tries && !now_; ++tries) {
        struct stat info {};
        if (::mkdir(folder.c_str(), 0777) != 0) {
          break;
        }
        if (::stat(folder.c_str(), &info) == 0) {
          now_ = seconds_of(info.st_mtim);
        }
        ::rmdir(folder.c_str());
      }
    }
    return now_;
  }

  void stays(const std::string& path, std::string why) {
    report_.left.push_back({path, std::move(why), folder_size(path).num_bytes});
  }

  /// True if the last sign of life is older than the limit; else it is counted, unless it is so
  /// young that its job lives.
  bool silent_for_long(const std::string& path, const timespec& sign, const std::string& whose,
                       double young_s) {
    const auto now = file_system_now();
    if (!now) {
      stays(path, whose + ", of an age that cannot be told: nothing can be made there");
      return false;
    }
    const double silent_s = *now - seconds_of(sign);
    if (silent_s > rules_.silent_limit_s) {
      return true;
    }
    if (silent_s >= young_s) {
      stays(path, fmt::format("{}, silent for {:.0f} s of {:.0f}", whose, silent_s,
                              rules_.silent_limit_s));
    }
    return false;
  }

  void look_at(const std::string& name) {
    const std::string path = directory_ + "/" + name;
    const std::string owner_path = path + "/" + owner_file_name;
    auto owner = open_file(owner_path, O_RDWR);
    if (!owner && owner.error().code == ErrorCode::not_found) {
      look_at_ownerless(name, path);
      return;
    }
    if (!owner) {
      stays(path, owner.error().message);
      return;
    }
    const bool locked = ::flock(owner->get(), LOCK_EX | LOCK_NB) == 0;
    if (!locked && errno == EWOULDBLOCK) {
      return;  // it lives
    }
    if (!is_still_there(*owner, owner_path)) {
      return;  // it has just been kept, or committed
    }
    const auto text = read_small_file(owner_path, max_owner_bytes);
    const OwnerRecord record = parse_owner_record(text ? *text : std::string());
    const Life life = life_of(record);
    if (life == Life::alive) {
      return;
    }
    struct stat info {};
    const bool certain = life == Life::dead || (life == Life::same_kernel && locked);
    if (!certain && (::fstat(owner->get(), &info) != 0 ||
                     !silent_for_long(path, info.st_mtim,
                                      fmt::format("of process {} on host {}", record.pid,
                                                  record.host.empty() ? "unknown" : record.host),
                                      heartbeats_of_a_living_s))) {
      return;
    }
    sweep(name, path, [&owner] { *owner = FileDescriptor(); });
  }

  /// Whose maker died before it said who it is, or whose sweeper died at the very end; or a run's
  /// that was kept.
  void look_at_ownerless(const std::string& name, const std::string& path) {
    if (const auto gone = remove_used_up(path)) {
      report_.swept += *gone ? 1 : 0;
      return;
    }
    struct stat info {};
    if (!run_id_of_name(name) && ::lstat(path.c_str(), &info) == 0 &&
        silent_for_long(path, info.st_mtim, "of nobody who says so", 0)) {
      sweep(name, path, {});
    }
  }

  void sweep(const std::string& name, const std::string& path,
             const std::function<void()>& let_go) {
    const auto run_id = run_id_of_name(name);
    if (run_id) {
      sweep_run(path, *run_id, let_go);
      return;
    }
    const std::string away = directory_ + "/" + swept_name(name);
    if (std::rename(path.c_str(), away.c_str()) != 0) {
      if (errno != ENOENT) {  // else another sweep, or its commit after all, was first
        stays(path, errno_error("cannot rename", path, errno).message);
      }
      return;
    }
    removed(away, remove_folder(away, let_go));
  }

  void sweep_run(const std::string& path, const std::string& run_id,
                 const std::function<void()>& let_go) {
    const std::string away = hide_run_folder(path);
    const bool gone = remove_run_folder(away, run_id, let_go);
    const std::string foreign = gone ? std::string() : foreign_name_in_run(away, run_id);
    if (!foreign.empty()) {
      stays(away, fmt::format("it holds {}, which is not of that run", foreign));
    } else {
      removed(away, gone);
    }
  }

  void removed(const std::string& path, bool gone) {
    if (gone) {
      ++report_.swept;
    } else {
      stays(path, "it cannot be removed yet: somebody has a file in it open, or may not");
    }
  }

  const std::string& directory_;
  const SweepRules& rules_;
  bool asked_clock_ = false;
  std::optional<double> now_;
  SweepReport report_;
};

}  // namespace

Result<SweepReport> sweep_leftovers(const std::string& directory, const SweepRules& rules) {
  return Sweep(directory, rules).run();
}

std::string describe_left(const SweepReport& report, const std::string& directory) {
  if (report.left.empty()) {
    return {};
  }
  std::int64_t num_bytes = 0;
  for (const SweepReport::Left& left : report.left) {
    num_bytes += left.num_bytes;
  }
  const SweepReport::Left& first = report.left.front();
  return fmt::format("{} leftover{} of {} bytes stay{} in {}: {} ({}){}", report.left.size(),
                     report.left.size() == 1 ? "" : "s", num_bytes,
                     report.left.size() == 1 ? "s" : "", directory,
                     first.path.substr(first.path.rfind('/') + 1), first.why,
                     report.left.size() == 1 ? "" : " and others");
}

}  // namespace shardmark
