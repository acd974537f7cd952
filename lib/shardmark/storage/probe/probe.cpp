// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/probe/probe.hpp"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <ctime>
#include <memory>

#include "shardmark/mpi/node_topology.hpp"
#include "shardmark/storage/directory/leftovers.hpp"
#include "shardmark/storage/directory/owned_folder.hpp"
#include "shardmark/storage/directory/ownership.hpp"
#include "shardmark/storage/directory/removal.hpp"
#include "shardmark/storage/directory/step_names.hpp"
#include "shardmark/storage/directory/unfinished.hpp"
#include "shardmark/storage/posix/file.hpp"
#include "shardmark/storage/probe/certificate_store.hpp"
#include "shardmark/storage/probe/local_trials.hpp"
#include "shardmark/storage/probe/node_trials.hpp"

namespace shardmark {
namespace {

/// What a certificate holds for, with no findings yet.
FileSystemCertificate untried(const std::string& directory, const std::string& program,
                              const NodeTopology& topology) {
  FileSystemCertificate certificate;
  certificate.mount = mount_of(directory);
  if (certificate.mount.path.empty()) {  // no /proc, or a root that is no mount, as after chroot
    certificate.mount = {"/", "unknown", "unknown", ""};
  }
  certificate.hosts = topology.host_of_node;
  struct utsname system {};
  if (::uname(&system) == 0) {
    certificate.kernel = system.release;
  }
  certificate.program = program;
  certificate.time = std::time(nullptr);
  return certificate;
}

/// The hidden folder of one probe. Rank 0.
class ProbeFolder {
 public:
  static Result<std::unique_ptr<ProbeFolder>> make(const std::string& directory) {
    static_cast<void>(sweep_leftovers(directory));  // of dead probes too
    std::unique_ptr<ProbeFolder> made(new ProbeFolder(directory + "/" + probe_name()));
    SHARDMARK_ASSIGN_OR_RETURN(made->owner_, make_owned_folder(made->path_));
    return made;
  }
  ~ProbeFolder() {
    {
      const auto held = hold_unfinished();
      add_unfinished(path_);  // its descriptor is about to be somebody else's
    }
    static_cast<void>(remove_folder(path_, [this] { owner_.reset(); }));
    const auto held = hold_unfinished();
    forget_unfinished(path_);
  }
  ProbeFolder(const ProbeFolder&) = delete;
  ProbeFolder& operator=(const ProbeFolder&) = delete;

  const std::string& path() const noexcept { return path_; }

 private:
  explicit ProbeFolder(std::string path) : path_(std::move(path)) {}

  std::string path_;
  std::unique_ptr<Ownership> owner_;
};

Status share(FileSystemCertificate& certificate, const Communicator& comm) {
  std::string text = to_text(certificate);
  comm.broadcast(text);
  const auto parsed = parse_certificate(text);
  if (parsed) {
    certificate = *parsed;
  }
  return {};
}

}  // namespace

Result<FileSystemCertificate> probe_file_system(const std::string& directory,
                                                const std::string& program,
                                                const Communicator& comm) {
  const NodeTopology topology = NodeTopology::discover(comm);
  FileSystemCertificate certificate = untried(directory, program, topology);
  std::unique_ptr<ProbeFolder> folder;
  Status made;
  std::string path;
  if (comm.is_root()) {
    auto result = ProbeFolder::make(directory);
    made = Status(result);
    if (result) {
      folder = std::move(*result);
      path = folder->path();
      try_local(path, certificate);
    }
  }
  SHARDMARK_RETURN_IF_ERROR(comm.agree(made));
  comm.broadcast(path);
  const Status tried = try_nodes(path, topology, comm, certificate);
  folder.reset();
  SHARDMARK_RETURN_IF_ERROR(tried);
  if (comm.is_root() && is_lasting(certificate) && !has_preloaded_library()) {
    keep_certificate(certificate);
  }
  SHARDMARK_RETURN_IF_ERROR(share(certificate, comm));
  return certificate;
}

Result<FileSystemCertificate> certificate_of(const std::string& directory,
                                             const std::string& program, const Communicator& comm) {
  const NodeTopology topology = NodeTopology::discover(comm);
  FileSystemCertificate certificate = untried(directory, program, topology);
  bool found = false;
  if (comm.is_root()) {
    const auto kept = find_certificate(certificate);
    found = kept.has_value();
    certificate = kept.value_or(certificate);
  }
  if (comm.all_reduce(std::int64_t{found}, MPI_MAX) == 0) {
    return probe_file_system(directory, program, comm);
  }
  SHARDMARK_RETURN_IF_ERROR(share(certificate, comm));
  return certificate;
}

}  // namespace shardmark
