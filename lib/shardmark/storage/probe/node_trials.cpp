// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/probe/node_trials.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <span>
#include <vector>

#include "shardmark/storage/directory/same_folder.hpp"
#include "shardmark/storage/posix/file.hpp"

namespace shardmark {
namespace {

constexpr std::int64_t shared_pages = 64;

/// A rank that is on another node than rank 0; 0 if there is none.
int rank_elsewhere(const NodeTopology& topology) {
  const auto found = std::ranges::find_if(
      topology.node_of_rank, [&](int node) { return node != topology.node_of_rank.front(); });
  return found == topology.node_of_rank.end()
             ? 0
             : static_cast<int>(found - topology.node_of_rank.begin());
}

/// Rank 0 and one on another node.
class TwoNodes {
 public:
  TwoNodes(const std::string& folder, int other, const Communicator& comm)
      : folder_(folder), other_(other), comm_(comm) {}

  /// Collective.
  LockReach lock_reach() const {
    FileDescriptor file = open("lock-of-two");
    const bool held = is_first() && file && ::flock(file.get(), LOCK_EX | LOCK_NB) == 0;
    comm_.barrier();
    file = is_other() ? open("lock-of-two") : std::move(file);
    const bool refused =
        is_other() && file && ::flock(file.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    const bool both = comm_.all_reduce(std::int64_t{held}, MPI_MAX) != 0 &&
                      comm_.all_reduce(std::int64_t{refused}, MPI_MAX) != 0;
    return both ? LockReach::everywhere : LockReach::node;
  }

  /// Collective. Of the pages of which each node writes one half, after both have read them: in how
  /// many a byte of somebody's is lost; -1 where that could not be tried.
  std::int64_t lost_pages() const {
    const std::int64_t page = ::sysconf(_SC_PAGESIZE);
    std::vector<char> bytes(static_cast<std::size_t>(page * shared_pages), '0');
    bool good = true;
    if (is_first()) {
      const FileDescriptor file = open("pages");
      good = file && write_at(file, folder_, std::as_bytes(std::span(bytes)), 0) &&
             ::fsync(file.get()) == 0;
    }
    comm_.barrier();
    {
      const FileDescriptor file = plays() ? open("pages") : FileDescriptor();
      good = good && (!plays() || (file && read(file, bytes)));
      comm_.barrier();
      const std::vector<char> half(static_cast<std::size_t>(page / 2), is_first() ? 'a' : 'b');
      for (std::int64_t p = 0; good && plays() && p < shared_pages; ++p) {
        const std::int64_t at = p * page + (is_first() ? 0 : page / 2);
        good = write_at(file, folder_, std::as_bytes(std::span(half)), at).has_value();
      }
      good = good && (!plays() || ::fsync(file.get()) == 0);
    }
    comm_.barrier();
    std::int64_t lost = 0;
    if (is_first() && good) {
      const FileDescriptor file = open("pages");
      ::posix_fadvise(file.get(), 0, 0, POSIX_FADV_DONTNEED);
      good = file && read(file, bytes);
      for (std::int64_t p = 0; p < shared_pages; ++p) {
        const auto begin = bytes.begin() + p * page;
        const bool whole =
            std::all_of(begin, begin + page / 2, [](char c) { return c == 'a'; }) &&
            std::all_of(begin + page / 2, begin + page, [](char c) { return c == 'b'; });
        lost += whole ? 0 : 1;
      }
    }
    return comm_.all_reduce(std::int64_t{good}, MPI_MIN) == 0 ? -1
                                                              : comm_.all_reduce(lost, MPI_MAX);
  }

 private:
  bool is_first() const { return comm_.is_root(); }
  bool is_other() const { return comm_.rank() == other_; }
  bool plays() const { return is_first() || is_other(); }
  FileDescriptor open(std::string_view name) const {
    auto file = open_file(fmt::format("{}/{}", folder_, name), O_RDWR | O_CREAT);
    return file ? std::move(*file) : FileDescriptor();
  }
  bool read(const FileDescriptor& file, std::vector<char>& bytes) const {
    return read_at(file, folder_, std::as_writable_bytes(std::span(bytes)), 0).has_value();
  }

  const std::string& folder_;
  int other_;
  const Communicator& comm_;
};

}  // namespace

Status try_nodes(const std::string& folder, const NodeTopology& topology, const Communicator& comm,
                 FileSystemCertificate& certificate) {
  SHARDMARK_RETURN_IF_ERROR(comm.agree(check_same_folder(folder, topology.host_of_node.front())));
  FileSystemTraits& traits = certificate.traits;
  const std::string& type = certificate.mount.type;
  const int other = rank_elsewhere(topology);
  traits.prompt_names = remembers_names(type) ? Known::no : Known::yes;
  certificate.reasons["prompt_names"] =
      remembers_names(type) ? "clients of " + type + " remember that a name was missing"
                            : "clients of " + type + " do not remember missing names";
  if (other == 0) {
    const bool coherent = is_coherent_type(type);
    const bool shared = type == "lustre" || type == "gpfs";
    if (traits.locks == LockReach::node) {
      const bool one_kernel = coherent && !shared;
      traits.locks = one_kernel ? LockReach::everywhere : LockReach::not_tried;
      certificate.reasons["locks"] =
          one_kernel ? "held; one kernel" : "held on this node; other nodes were not tried";
    }
    traits.coherent = shared ? Known::not_tried : coherent ? Known::yes : Known::no;
    certificate.reasons["coherent"] =
        coherent ? (shared ? "takes two nodes" : "one kernel, one page cache")
                 : type + " never counts as coherent; two nodes were not tried";
    return {};
  }
  const TwoNodes nodes(folder, other, comm);
  const LockReach reach = nodes.lock_reach();
  if (traits.locks == LockReach::node) {
    traits.locks = reach;
    certificate.reasons["locks"] =
        reach == LockReach::everywhere ? "held on two nodes" : "another node does not see them";
  }
  const std::int64_t lost = nodes.lost_pages();
  traits.coherent = lost == 0 && is_coherent_type(type) ? Known::yes : Known::no;
  certificate.reasons["coherent"] =
      lost < 0 ? "two nodes could not write one file"
      : lost > 0
          ? fmt::format("of {} pages that two nodes wrote, {} lost bytes", shared_pages, lost)
          : fmt::format("two nodes wrote {} pages and lost nothing{}", shared_pages,
                        is_coherent_type(type)
                            ? ""
                            : ", which proves nothing: " + type + " never counts as coherent");
  return {};
}

}  // namespace shardmark
