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
#include <mutex>
#include <string>
#include <string_view>

namespace {

constexpr const char* usage =
    "Usage: odd_file_system MOUNT FOLDER [SWITCH...]\n"
    "  writeback       pages are written back late, and whole\n"
    "  short=BYTES     no write takes more at once\n"
    "  stripes=N       answers as Lustre with N targets does when asked for stripes\n"
    "  OPERATION=ERRNO fails so: renameflags, fallocate, fsyncdir, flock, lseek, open_direct, write_direct\n";

struct Switches {
  std::string folder;
  bool writeback = false;
  std::size_t most_written = SIZE_MAX;
  int targets = 0;
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

/// What Lustre keeps of a file, and of a folder for files that will be made in it.
struct Stripes {
  std::uint32_t bytes = 0;
  std::uint16_t count = 0;
};

constexpr std::uint32_t layout_magic = 0x0BD10BD0;
constexpr std::size_t layout_bytes = 32;  // then the objects, of 24 bytes each

std::mutex stripes_mutex;
std::map<ino_t, Stripes> stripes_of;

ino_t inode_of(const std::string& path) {
  struct stat info {};
  return lstat(path.c_str(), &info) == 0 ? info.st_ino : 0;
}

/// A new file or folder gets what its folder has; of a file all is decided.
void inherit_stripes(const char* path, bool is_file) {
  const int targets = switches().targets;
  if (targets == 0) {
    return;
  }
  const std::string made = below(path);
  const std::lock_guard lock(stripes_mutex);
  const auto folder = stripes_of.find(inode_of(made.substr(0, made.rfind('/'))));
  stripes_of.erase(inode_of(made));  // of a file that was removed
  if (!is_file && folder == stripes_of.end()) {
    return;
  }
  Stripes stripes = folder == stripes_of.end() ? Stripes{} : folder->second;
  if (is_file) {
    stripes.bytes = stripes.bytes == 0 ? 1U << 20 : stripes.bytes;
    stripes.count =
        static_cast<std::uint16_t>(std::min<int>(std::max<int>(stripes.count, 1), targets));
  }
  stripes_of[inode_of(made)] = stripes;
}

int get_attribute(const char* path, const char* name, char* value, std::size_t size) {
  if (std::string_view(name) != "lustre.lov") {
    return -ENOTSUP;
  }
  const std::lock_guard lock(stripes_mutex);
  const auto found = stripes_of.find(inode_of(below(path)));
  if (found == stripes_of.end()) {
    return -ENODATA;
  }
  std::string layout(layout_bytes + 24U * std::min<std::size_t>(found->second.count, 2000), '\0');
  const std::uint32_t pattern = 1;
  std::memcpy(layout.data(), &layout_magic, 4);
  std::memcpy(layout.data() + 4, &pattern, 4);
  std::memcpy(layout.data() + 24, &found->second.bytes, 4);
  std::memcpy(layout.data() + 28, &found->second.count, 2);
  if (size != 0 && size < layout.size()) {
    return -ERANGE;
  }
  std::copy_n(layout.begin(), size == 0 ? 0 : layout.size(), value);
  return static_cast<int>(layout.size());
}

/// Of a file that has its stripes nothing changes, and nobody is told.
int set_attribute(const char* path, const char* name, const char* value, std::size_t size,
                  int /*flags*/) {
  if (std::string_view(name) != "lustre.lov") {
    return -ENOTSUP;
  }
  struct stat info {};
  if (lstat(below(path).c_str(), &info) != 0) {
    return -errno;
  }
  Stripes stripes;
  if (size < layout_bytes || std::memcmp(value, &layout_magic, 4) != 0) {
    return -EINVAL;
  }
  std::memcpy(&stripes.bytes, value + 24, 4);
  std::memcpy(&stripes.count, value + 28, 2);
  if (S_ISDIR(info.st_mode)) {
    const std::lock_guard lock(stripes_mutex);
    stripes_of[info.st_ino] = stripes;
  }
  return 0;
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
  const bool is_new = inode_of(below(path)) == 0;
  const int made = open_at(path, mode, info);
  if (made == 0 && is_new) {
    inherit_stripes(path, true);
  }
  return made;
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
  const int made = result(mkdir(below(path).c_str(), mode));
  if (made == 0) {
    inherit_stripes(path, false);
  }
  return made;
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
  if (name == "stripes" && number > 0) {
    made.targets = number;
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
  if (made.targets > 0) {  // else the kernel need not ask
    operations.getxattr = get_attribute;
    operations.setxattr = set_attribute;
  }
  std::string program = argv[0];
  std::string foreground = "-f";
  std::string mount = argv[1];
  char* words[] = {program.data(), foreground.data(), mount.data()};
  return fuse_main(3, words, &operations, &made);
}
