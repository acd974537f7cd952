// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace shardmark::bench {

/// What the kernel says of a process, as far as it says anything; nothing here touches storage.
struct ProcessState {
  char state = 'X';       // of its most telling thread, as in /proc/PID/stat; X: it is gone
  std::string call = {};  // system call in which it is: "pwrite64"; empty: none, or not shown
  std::string file = {};  // that the call is for
  std::string wait_channel = {};  // where in the kernel it waits
  bool in_file_call = false;      // the call is one to a file system
};

/// Local. Whether a process in this state does nothing by itself any more.
bool is_stopped_state(char state) noexcept;

/// Local. Of the process alone: the letter of its state; X if it is gone.
char process_letter(int pid);

/// Local. Bytes that it has asked of files and sockets; nullopt where the kernel does not say.
std::optional<std::int64_t> process_io_bytes(int pid);

/// Local. All that can be seen.
ProcessState process_state(int pid);

/// Local. The state's letter in the text of a stat file, X if there is none: the name of the
/// program before it may hold anything.
char letter_of_stat(std::string_view stat);

/// A line of /proc/PID/syscall.
struct SystemCall {
  std::string name;           // "call 1000" for one without a name here
  std::optional<int> file;    // the descriptor that it is for
  bool is_for_files = false;  // and not for waiting
};

/// Local. nullopt where the thread is in none ("running", "-1 ..."), or the line is none.
std::optional<SystemCall> parse_system_call(std::string_view line);

/// Local. "stopped", "uninterruptible (nothing can end it)", ...
std::string_view state_text(char state);

}  // namespace shardmark::bench
