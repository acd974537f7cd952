// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/probe/local_trials.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <span>
#include <system_error>
#include <vector>

#include "shardmark/storage/posix/file.hpp"
#include "shardmark/storage/posix/page_residency.hpp"

namespace shardmark {
namespace {

constexpr std::int64_t mebibyte = std::int64_t{1} << 20;
constexpr int times_a_call = 5;

std::string error_text(int error_number) {
  return std::error_code(error_number, std::generic_category()).message();
}

/// What went wrong, of a message that also says where: the place is gone when it is read.
std::string without_place(const std::string& message) {
  const std::size_t colon = message.rfind(": ");
  return colon == std::string::npos ? message : message.substr(colon + 2);
}

/// The trials of one folder, one trait after another.
class LocalTrials {
 public:
  LocalTrials(const std::string& folder, FileSystemCertificate& certificate)
      : folder_(folder), certificate_(certificate), traits_(certificate.traits) {}

  void run() {
    try_rename();
    try_fsync_folder();
    try_fallocate();
    try_holes();
    try_direct();
    try_locks();
    try_residency();
    try_file_numbers();
    ask_free();
    time_calls();
  }

 private:
  std::string path(std::string_view name) const { return fmt::format("{}/{}", folder_, name); }

  void note(std::string_view trait, Known& to, bool yes, std::string reason) {
    to = yes ? Known::yes : Known::no;
    certificate_.reasons[std::string(trait)] = std::move(reason);
  }

  FileDescriptor make(std::string_view name) const {
    auto file = open_file(path(name), O_RDWR | O_CREAT | O_EXCL);
    return file ? std::move(*file) : FileDescriptor();
  }

  bool write_bytes(const FileDescriptor& file, std::size_t size, std::int64_t at,
                   char value = 'x') const {
    const std::vector<char> bytes(size, value);
    return file && write_at(file, folder_, std::as_bytes(std::span(bytes)), at).has_value();
  }

  /// To a name that is free first: for one that is there the kernel answers by itself.
  void try_rename() {
    const std::string from = path("from");
    const std::string free = path("free");
    const std::string there = path("there");
    ::mkdir(from.c_str(), 0777);
    ::mkdir(there.c_str(), 0777);
    if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, free.c_str(), RENAME_NOREPLACE) != 0) {
      note("rename_noreplace", traits_.rename_noreplace, false, error_text(errno));
      return;
    }
    const bool refused =
        ::renameat2(AT_FDCWD, free.c_str(), AT_FDCWD, there.c_str(), RENAME_NOREPLACE) != 0 &&
        errno == EEXIST;
    note("rename_noreplace", traits_.rename_noreplace, refused,
         refused ? "refused, as told" : "it replaced all the same");
  }

  void try_fsync_folder() {
    const FileDescriptor folder(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const bool done = folder && ::fsync(folder.get()) == 0;
    note("fsync_folder", traits_.fsync_folder, done, done ? "done" : error_text(errno));
  }

  void try_fallocate() {
    const FileDescriptor file = make("reserved");
    const bool done = file && ::fallocate(file.get(), 0, 0, mebibyte) == 0;
    const int error_number = errno;
    struct stat info {};
    const bool taken = done && ::fstat(file.get(), &info) == 0 && info.st_blocks * 512 >= mebibyte;
    note("fallocate", traits_.fallocate, taken,
         taken  ? "the blocks are taken"
         : done ? "it says so, and takes no blocks"
                : error_text(error_number));
  }

  /// One byte far inside a file of holes; then zeros where a hole was.
  void try_holes() {
    const FileDescriptor file = make("holes");
    const std::int64_t at = 16 * mebibyte;
    if (!file || ::ftruncate(file.get(), 2 * at) != 0 || !write_bytes(file, 1, at) ||
        ::fsync(file.get()) != 0) {
      certificate_.reasons["seek_hole"] = "cannot make a file with holes: " + error_text(errno);
      return;
    }
    const std::int64_t first_hole = ::lseek(file.get(), 0, SEEK_HOLE);
    const int error_number = errno;
    const std::int64_t begin = ::lseek(file.get(), 0, SEEK_DATA);
    const std::int64_t end = begin < 0 ? begin : ::lseek(file.get(), begin, SEEK_HOLE);
    if (first_hole != 0 || begin < 0 || begin > at || end <= at) {
      note("seek_hole", traits_.seek_hole, false,
           first_hole < 0 ? error_text(error_number) : "what nobody wrote counts as data");
      return;
    }
    traits_.hole_grain = end - begin;
    const bool fine = traits_.hole_grain <= ::sysconf(_SC_PAGESIZE);
    note("seek_hole", traits_.seek_hole, fine,
         fmt::format("in grains of {} bytes{}", traits_.hole_grain,
                     fine ? "" : ", too coarse to show a lost page"));
    const auto zeros = static_cast<std::size_t>(mebibyte);
    if (!write_bytes(file, zeros, 0, '\0') || ::fsync(file.get()) != 0) {
      certificate_.reasons["zeros_kept"] = "cannot write zeros: " + error_text(errno);
      return;
    }
    const bool kept = ::lseek(file.get(), 0, SEEK_HOLE) >= mebibyte;
    note("zeros_kept", traits_.zeros_kept, kept,
         kept ? "written zeros are data" : "written zeros are holes");
  }

  void try_direct() {
    const FileDescriptor plain = make("direct");
    const bool filled = write_bytes(plain, static_cast<std::size_t>(mebibyte), 0) &&
                        ::fsync(plain.get()) == 0 &&
                        drop_cached_pages(std::vector<FileRange>{{path("direct"), 0, mebibyte}});
    const int fill_error = errno;
    auto file = open_file(path("direct"), O_RDWR | O_DIRECT);
    if (!file) {
      note("o_direct", traits_.o_direct, false, without_place(file.error().message));
      return;
    }
    if (!filled) {
      certificate_.reasons["o_direct"] = "cannot be tried: " + error_text(fill_error);
      return;
    }
    std::string refused = "no alignment is taken";
    for (std::int64_t alignment = 512; alignment <= mebibyte; alignment *= 2) {
      refused = direct_at(*file, alignment, alignment);
      if (refused.empty()) {
        traits_.direct_alignment = alignment;
        break;
      }
    }
    if (refused.empty()) {
      // Blocks may pass and requests as large as a save's not: FUSE gives EIO for one that its
      // server cuts short.
      refused = direct_at(*file, traits_.direct_alignment, mebibyte);
    }
    if (!refused.empty()) {
      note("o_direct", traits_.o_direct, false, refused);
      return;
    }
    const auto residency = page_residency(std::vector<FileRange>{{path("direct"), 0, mebibyte}});
    const bool past = residency && 2 * residency->resident_pages <= residency->pages;
    note("o_direct", traits_.o_direct, past || !residency,
         past         ? fmt::format("written and read in blocks of {}", traits_.direct_alignment)
         : !residency ? "written and read; whether past the page cache cannot be seen"
                      : "taken, and the page cache is used all the same");
  }

  /// Writes and reads one request; empty if that works, else why not.
  static std::string direct_at(const FileDescriptor& file, std::int64_t alignment,
                               std::int64_t num_bytes) {
    const auto size = static_cast<std::size_t>(num_bytes);
    const std::unique_ptr<void, decltype(&std::free)> block(
        std::aligned_alloc(static_cast<std::size_t>(alignment), size), &std::free);
    std::fill_n(static_cast<char*>(block.get()), size, 'y');
    if (const ssize_t done = ::pwrite(file.get(), block.get(), size, 0); done != num_bytes) {
      return done < 0 ? "cannot write: " + error_text(errno)
                      : fmt::format("of {} bytes only {} are written at once", size, done);
    }
    if (const ssize_t done = ::pread(file.get(), block.get(), size, 0); done != num_bytes) {
      return done < 0 ? "cannot read: " + error_text(errno)
                      : fmt::format("of {} bytes only {} are read at once", size, done);
    }
    return {};
  }

  /// What other nodes see of them needs other nodes: see node_trials.
  void try_locks() {
    const FileDescriptor first = make("lock");
    auto second = open_file(path("lock"), O_RDWR);
    if (!first || !second) {
      return;
    }
    if (::flock(first.get(), LOCK_EX | LOCK_NB) != 0) {
      traits_.locks = LockReach::none;
      certificate_.reasons["locks"] = error_text(errno);
      return;
    }
    const bool held = ::flock(second->get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    traits_.locks = held ? LockReach::node : LockReach::none;
    certificate_.reasons["locks"] = held ? "held on this node" : "given to two at once";
  }

  void try_residency() {
    const FileDescriptor file = make("cached");
    const std::vector<FileRange> range = {{path("cached"), 0, mebibyte}};
    if (!write_bytes(file, static_cast<std::size_t>(mebibyte), 0)) {
      certificate_.reasons["page_residency"] = "cannot be tried: " + error_text(errno);
      return;
    }
    const auto written = page_residency(range);
    const bool seen = written && written->resident_pages * 2 > written->pages;
    const bool hidden = hides_pages(certificate_.mount.type);
    note("page_residency", traits_.page_residency, seen && !hidden,
         hidden     ? "a server of this machine may keep pages that the kernel does not show"
         : seen     ? "what was just written is seen in memory"
         : !written ? without_place(written.error().message)
                    : "what was just written is not seen in memory");
  }

  void try_file_numbers() {
    struct stat one {};
    struct stat other {};
    const bool told = ::stat(path("lock").c_str(), &one) == 0 &&
                      ::stat(path("cached").c_str(), &other) == 0 && one.st_ino != other.st_ino;
    note("file_numbers", traits_.file_numbers, told, told ? "they differ" : "two files have one");
  }

  void ask_free() {
    struct statvfs info {};
    if (::statvfs(folder_.c_str(), &info) == 0 && info.f_blocks != 0) {
      certificate_.free_bytes =
          static_cast<std::int64_t>(info.f_bavail) * static_cast<std::int64_t>(info.f_frsize);
      certificate_.free_files = info.f_files == 0 ? -1 : static_cast<std::int64_t>(info.f_favail);
    }
  }

  template <typename Call>
  void time(std::string_view name, const Call& call) {
    std::vector<double> seconds;
    for (int i = 0; i < times_a_call; ++i) {
      const auto start = std::chrono::steady_clock::now();
      if (!call(i)) {
        return;  // what it cannot do has no time
      }
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
      seconds.push_back(took.count());
    }
    std::nth_element(seconds.begin(), seconds.begin() + times_a_call / 2, seconds.end());
    certificate_.call_s[std::string(name)] = seconds[times_a_call / 2];
  }

  void time_calls() {
    const auto name = [this](std::string_view stem, int i) {
      return path(fmt::format("{}{}", stem, i));
    };
    time("mkdir", [&](int i) { return ::mkdir(name("d", i).c_str(), 0777) == 0; });
    time("create",
         [&](int i) { return open_file(name("f", i), O_WRONLY | O_CREAT | O_EXCL).has_value(); });
    time("stat", [&](int i) {
      struct stat info {};
      return ::stat(name("f", i).c_str(), &info) == 0;
    });
    const FileDescriptor file = make("synced");
    time("fsync", [&](int i) { return write_bytes(file, 1, i) && ::fsync(file.get()) == 0; });
    time("rename",
         [&](int i) { return std::rename(name("f", i).c_str(), name("g", i).c_str()) == 0; });
    const FileDescriptor folder(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    time("fsync_folder", [&](int) { return folder && ::fsync(folder.get()) == 0; });
    time("unlink", [&](int i) { return ::unlink(name("g", i).c_str()) == 0; });
    time("rmdir", [&](int i) { return ::rmdir(name("d", i).c_str()) == 0; });
    time("statvfs", [&](int) {
      struct statvfs info {};
      return ::statvfs(folder_.c_str(), &info) == 0;
    });
  }

  const std::string& folder_;
  FileSystemCertificate& certificate_;
  FileSystemTraits& traits_;
};

}  // namespace

void try_local(const std::string& folder, FileSystemCertificate& certificate) {
  LocalTrials(folder, certificate).run();
}

}  // namespace shardmark
