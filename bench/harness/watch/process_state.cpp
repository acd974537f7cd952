// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/watch/process_state.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace shardmark::bench {
namespace {

enum class Call : std::uint8_t {
  on_descriptor,  // of a file system, its first argument a descriptor
  on_path,        // of a file system
  other,
};

struct KnownCall {
  long number;
  const char* name;
  Call kind;
};

constexpr KnownCall known_calls[] = {
    {SYS_read, "read", Call::on_descriptor},
    {SYS_write, "write", Call::on_descriptor},
    {SYS_pread64, "pread64", Call::on_descriptor},
    {SYS_pwrite64, "pwrite64", Call::on_descriptor},
    {SYS_readv, "readv", Call::on_descriptor},
    {SYS_writev, "writev", Call::on_descriptor},
    {SYS_preadv, "preadv", Call::on_descriptor},
    {SYS_pwritev, "pwritev", Call::on_descriptor},
    {SYS_fsync, "fsync", Call::on_descriptor},
    {SYS_fdatasync, "fdatasync", Call::on_descriptor},
    {SYS_sync_file_range, "sync_file_range", Call::on_descriptor},
    {SYS_fallocate, "fallocate", Call::on_descriptor},
    {SYS_ftruncate, "ftruncate", Call::on_descriptor},
    {SYS_lseek, "lseek", Call::on_descriptor},
    {SYS_close, "close", Call::on_descriptor},
    {SYS_flock, "flock", Call::on_descriptor},
    {SYS_fcntl, "fcntl", Call::on_descriptor},
    {SYS_fstat, "fstat", Call::on_descriptor},
    {SYS_fstatfs, "fstatfs", Call::on_descriptor},
    {SYS_getdents64, "getdents64", Call::on_descriptor},
    {SYS_openat, "openat", Call::on_path},
    {SYS_renameat, "renameat", Call::on_path},
    {SYS_renameat2, "renameat2", Call::on_path},
    {SYS_unlinkat, "unlinkat", Call::on_path},
    {SYS_mkdirat, "mkdirat", Call::on_path},
    {SYS_statfs, "statfs", Call::on_path},
    {SYS_statx, "statx", Call::on_path},
    {SYS_faccessat, "faccessat", Call::on_path},
    {SYS_readlinkat, "readlinkat", Call::on_path},
    {SYS_utimensat, "utimensat", Call::on_path},
#ifdef SYS_newfstatat
    {SYS_newfstatat, "newfstatat", Call::on_path},
#endif
#ifdef SYS_open
    {SYS_open, "open", Call::on_path},
    {SYS_rename, "rename", Call::on_path},
    {SYS_unlink, "unlink", Call::on_path},
    {SYS_mkdir, "mkdir", Call::on_path},
    {SYS_rmdir, "rmdir", Call::on_path},
    {SYS_access, "access", Call::on_path},
    {SYS_readlink, "readlink", Call::on_path},
    {SYS_stat, "stat", Call::on_path},
    {SYS_lstat, "lstat", Call::on_path},
    {SYS_poll, "poll", Call::other},
    {SYS_epoll_wait, "epoll_wait", Call::other},
    {SYS_select, "select", Call::other},
#endif
    {SYS_ppoll, "ppoll", Call::other},
    {SYS_epoll_pwait, "epoll_pwait", Call::other},
    {SYS_futex, "futex", Call::other},
    {SYS_nanosleep, "nanosleep", Call::other},
    {SYS_clock_nanosleep, "clock_nanosleep", Call::other},
    {SYS_munmap, "munmap", Call::other},
    {SYS_madvise, "madvise", Call::other},
    {SYS_sched_yield, "sched_yield", Call::other},
    {SYS_rt_sigtimedwait, "rt_sigtimedwait", Call::other},
    {SYS_wait4, "wait4", Call::other},
};

/// What a file of /proc holds, at most a page; empty where it cannot be read.
std::string text_of(const std::string& path) {
  std::array<char, 4096> text{};
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    return {};
  }
  const ssize_t got = ::read(file, text.data(), text.size());
  ::close(file);
  return {text.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
}

std::string target_of(const std::string& link) {
  std::array<char, 4096> text{};
  const ssize_t got = ::readlink(link.c_str(), text.data(), text.size());
  return {text.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
}

std::string first_line(std::string text) {
  text.resize(std::min(text.find('\n'), text.size()));
  return text;
}

ProcessState thread_state(int pid, const std::string& folder) {
  ProcessState found;
  found.state = letter_of_stat(text_of(folder + "/stat"));
  found.wait_channel = first_line(text_of(folder + "/wchan"));
  if (found.wait_channel == "0") {
    found.wait_channel.clear();
  }
  if (const auto call = parse_system_call(text_of(folder + "/syscall"))) {
    found.call = call->name;
    found.in_file_call = call->is_for_files;
    if (call->file) {
      found.file = target_of(fmt::format("/proc/{}/fd/{}", pid, *call->file));
      // Pipes, sockets and the like: that is a wait for somebody.
      found.in_file_call = found.file.starts_with('/');
    }
  }
  return found;
}

/// How much a thread says of why its process does not come on.
int weight_of(const ProcessState& thread) {
  return thread.state == 'D' ? 2 : thread.in_file_call ? 1 : 0;
}

}  // namespace

char letter_of_stat(std::string_view stat) {
  const std::size_t end_of_name = stat.rfind(") ");
  return end_of_name == std::string_view::npos || end_of_name + 2 >= stat.size()
             ? 'X'
             : stat[end_of_name + 2];
}

std::optional<SystemCall> parse_system_call(std::string_view line) {
  long number = -1;
  const char* const end = line.data() + line.size();
  const auto [after, error] = std::from_chars(line.data(), end, number);
  if (error != std::errc() || number < 0) {
    return std::nullopt;
  }
  const auto* const known = std::ranges::find(known_calls, number, &KnownCall::number);
  if (known == std::end(known_calls)) {
    return SystemCall{fmt::format("call {}", number), {}, false};
  }
  SystemCall call{known->name, {}, known->kind != Call::other};
  constexpr std::string_view hexadecimal = " 0x";
  const std::string_view rest(after, static_cast<std::size_t>(end - after));
  unsigned long first = 0;
  if (known->kind == Call::on_descriptor && rest.starts_with(hexadecimal) &&
      std::from_chars(after + hexadecimal.size(), end, first, 16).ec == std::errc()) {
    call.file = static_cast<int>(first);
  }
  return call;
}

char process_letter(int pid) {
  return letter_of_stat(text_of(fmt::format("/proc/{}/stat", pid)));
}

std::optional<std::int64_t> process_io_bytes(int pid) {
  const std::string text = text_of(fmt::format("/proc/{}/io", pid));
  std::optional<std::int64_t> sum;
  for (const std::string_view key : {"rchar: ", "wchar: "}) {
    const std::size_t at = text.find(key);
    std::int64_t value = 0;
    if (at == std::string::npos ||
        std::from_chars(text.data() + at + key.size(), text.data() + text.size(), value).ec !=
            std::errc()) {
      return std::nullopt;
    }
    sum = sum.value_or(0) + value;
  }
  return sum;
}

ProcessState process_state(int pid) {
  const std::string folder = fmt::format("/proc/{}", pid);
  ProcessState found = thread_state(pid, folder);
  const char whole = found.state;
  // The first thread waits for others of its process, of which one may hang.
  if (DIR* const threads = ::opendir((folder + "/task").c_str())) {
    while (const dirent* const entry = ::readdir(threads)) {
      const std::string name = entry->d_name;
      if (name.starts_with('.')) {
        continue;
      }
      ProcessState thread = thread_state(pid, fmt::format("{}/task/{}", folder, name));
      if (weight_of(thread) > weight_of(found)) {
        found = std::move(thread);
      }
    }
    ::closedir(threads);
  }
  if (whole == 'T' || whole == 't') {
    found.state = whole;
  }
  return found;
}

bool is_stopped_state(char state) noexcept {
  return std::string_view("TtZXx").find(state) != std::string_view::npos;
}

std::string_view state_text(char state) {
  switch (state) {
    case 'R':
      return "running";
    case 'S':
    case 'I':
      return "asleep";
    case 'D':
      return "uninterruptible (nothing can end it)";
    case 'T':
      return "stopped";
    case 't':
      return "stopped by a debugger";
    default:
      return "gone";
  }
}

}  // namespace shardmark::bench
