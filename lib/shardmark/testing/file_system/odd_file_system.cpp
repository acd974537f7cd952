// SPDX-License-Identifier: Apache-2.0
// A FUSE file system that hands on to a folder and behaves otherwise than a local disk. Each mount
// of one folder is a client with a page cache of its own, as the nodes of a cluster are. See usage.
#define FUSE_USE_VERSION 31
#include <dirent.h>
#include <fcntl.h>
#include <fuse3/fuse.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <string_view>

namespace {

constexpr const char* usage =
    "Usage: odd_file_system MOUNT FOLDER [SWITCH...]\n"
    "  writeback       pages are written back late, and whole\n"
    "  short=BYTES     no write takes more at once\n"
    "  OPERATION=ERRNO fails so: renameflags, fallocate, fsyncdir, flock, lseek, open_direct, write_direct\n";

struct Switches {
  std::string folder;
  bool writeback = false;
  std::size_t most_written = SIZE_MAX;
  std::map<std::string, int, std::less<>> failing;

  /// 0, or the negative error that this operation is to give.
  int error_of(std::string_view operation) const {
    const auto found = failing.find(operation);
    return found == failing.end() ? 0 : -found->second;
  }
};

const Switches& switches() {
  return *static_cast<const Switches*>(fuse_get_context()->private_data);
}

std::string below(const char* path) {
  return switches().folder + path;
}

int result(std::int64_t returned) {
  return returned < 0 ? -errno : static_cast<int>(returned);
}

int file_of(const fuse_file_info* info) {
  return static_cast<int>(info->fh);
}

void* start(fuse_conn_info* connection, fuse_config* config) {
  if (switches().writeback) {
    connection->want |= FUSE_CAP_WRITEBACK_CACHE;
  }
  // flock stays the folder's: it holds between all clients.
  connection->want |= connection->capable & FUSE_CAP_FLOCK_LOCKS;
  config->use_ino = 1;
  config->entry_timeout = 0;
  config->attr_timeout = 0;
  config->negative_timeout = 0;
  return fuse_get_context()->private_data;
}

int get_attributes(const char* path, struct stat* found, fuse_file_info* info) {
  return result(info != nullptr ? fstat(file_of(info), found) : lstat(below(path).c_str(), found));
}

int read_folder(const char* path, void* entries, fuse_fill_dir_t fill, off_t /*from*/,
                fuse_file_info* /*info*/, fuse_readdir_flags /*flags*/) {
  DIR* const folder = opendir(below(path).c_str());
  if (folder == nullptr) {
    return -errno;
  }
  while (const dirent* const entry = readdir(folder)) {
    fill(entries, entry->d_name, nullptr, 0, fuse_fill_dir_flags{});
  }
  closedir(folder);
  return 0;
}

int open_at(const char* path, mode_t mode, fuse_file_info* info) {
  int flags = info->flags;
  if ((flags & O_DIRECT) != 0) {
    if (const int error = switches().error_of("open_direct"); error != 0) {
      return error;
    }
  }
  if (switches().writeback) {
    // The kernel reads the rest of a page before it writes a part, and appends by itself.
    flags = (flags & ~(O_ACCMODE | O_APPEND)) | O_RDWR;
  }
  const int file = open(below(path).c_str(), flags & ~O_DIRECT, mode);
  if (file < 0) {
    return -errno;
  }
  info->fh = static_cast<std::uint64_t>(file);
  return 0;
}

int open_file(const char* path, fuse_file_info* info) {
  return open_at(path, 0, info);
}

int create_file(const char* path, mode_t mode, fuse_file_info* info) {
  info->flags |= O_CREAT;
  return open_at(path, mode, info);
}

int read_file(const char* /*path*/, char* to, std::size_t size, off_t at, fuse_file_info* info) {
  return result(pread(file_of(info), to, size, at));
}

int write_file(const char* /*path*/, const char* from, std::size_t size, off_t at,
               fuse_file_info* info) {
  if ((info->flags & O_DIRECT) != 0) {
    if (const int error = switches().error_of("write_direct"); error != 0) {
      return error;
    }
  }
  return result(pwrite(file_of(info), from, std::min(size, switches().most_written), at));
}

int set_length(const char* path, off_t size, fuse_file_info* info) {
  return result(info != nullptr ? ftruncate(file_of(info), size)
                                : truncate(below(path).c_str(), size));
}

int remove_file(const char* path) {
  return result(unlink(below(path).c_str()));
}

int make_folder(const char* path, mode_t mode) {
  return result(mkdir(below(path).c_str(), mode));
}

int remove_folder(const char* path) {
  return result(rmdir(below(path).c_str()));
}

int rename_path(const char* from, const char* to, unsigned flags) {
  const int error = switches().error_of("renameflags");
  if (flags != 0 && error != 0) {
    return error;
  }
  return result(renameat2(AT_FDCWD, below(from).c_str(), AT_FDCWD, below(to).c_str(), flags));
}

int sync_file(const char* /*path*/, int /*data_only*/, fuse_file_info* info) {
  return result(fsync(file_of(info)));
}

int sync_folder(const char* path, int /*data_only*/, fuse_file_info* /*info*/) {
  if (const int error = switches().error_of("fsyncdir"); error != 0) {
    return error;
  }
  const int folder = open(below(path).c_str(), O_RDONLY | O_DIRECTORY);
  const int synced = folder < 0 ? -errno : result(fsync(folder));
  close(folder);
  return synced;
}

int release_file(const char* /*path*/, fuse_file_info* info) {
  return result(close(file_of(info)));
}

int describe(const char* path, struct statvfs* found) {
  return result(statvfs(below(path).c_str(), found));
}

int allocate(const char* /*path*/, int mode, off_t at, off_t size, fuse_file_info* info) {
  const int error = switches().error_of("fallocate");
  return error != 0 ? error : result(fallocate(file_of(info), mode, at, size));
}

off_t seek(const char* /*path*/, off_t at, int whence, fuse_file_info* info) {
  if (const int error = switches().error_of("lseek"); error != 0) {
    return error;
  }
  const off_t found = lseek(file_of(info), at, whence);
  return found < 0 ? -errno : found;
}

int lock_file(const char* /*path*/, fuse_file_info* info, int operation) {
  const int error = switches().error_of("flock");
  return error != 0 ? error : result(flock(file_of(info), operation));
}

int set_mode(const char* path, mode_t mode, fuse_file_info* /*info*/) {
  return result(chmod(below(path).c_str(), mode));
}

int set_times(const char* path, const timespec times[2], fuse_file_info* /*info*/) {
  return result(utimensat(AT_FDCWD, below(path).c_str(), times, AT_SYMLINK_NOFOLLOW));
}

bool take_switch(Switches& made, std::string_view word) {
  const std::size_t equals = word.find('=');
  const std::string_view name = word.substr(0, equals);
  const int number = equals == std::string_view::npos
                         ? 0
                         : std::atoi(std::string(word.substr(equals + 1)).c_str());
  if (name == "writeback") {
    made.writeback = true;
    return true;
  }
  if (name == "short" && number > 0) {
    made.most_written = static_cast<std::size_t>(number);
    return true;
  }
  made.failing[std::string(name)] = number;
  return number > 0;
}

}  // namespace

int main(int argc, char** argv) {
  Switches made;
  bool right = argc >= 3;
  for (int i = 3; i < argc; ++i) {
    right = take_switch(made, argv[i]) && right;
  }
  if (!right) {
    std::fputs(usage, stderr);
    return 2;
  }
  made.folder = argv[2];
  fuse_operations operations{};
  operations.init = start;
  operations.getattr = get_attributes;
  operations.readdir = read_folder;
  operations.open = open_file;
  operations.create = create_file;
  operations.read = read_file;
  operations.write = write_file;
  operations.truncate = set_length;
  operations.unlink = remove_file;
  operations.mkdir = make_folder;
  operations.rmdir = remove_folder;
  operations.rename = rename_path;
  operations.fsync = sync_file;
  operations.fsyncdir = sync_folder;
  operations.release = release_file;
  operations.statfs = describe;
  operations.fallocate = allocate;
  operations.lseek = seek;
  operations.flock = lock_file;
  operations.chmod = set_mode;
  operations.utimens = set_times;
  std::string program = argv[0];
  std::string foreground = "-f";
  std::string mount = argv[1];
  char* words[] = {program.data(), foreground.data(), mount.data()};
  return fuse_main(3, words, &operations, &made);
}
