// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ctime>

#include "shardmark/storage/probe/certificate.hpp"

namespace shardmark::probe_test {

/// One with something in every kind of its members.
inline FileSystemCertificate sample_certificate() {
  FileSystemCertificate certificate;
  certificate.mount = {"/a mount", "nfs4", "server:/ex port", "rw;vers=4.2"};
  certificate.hosts = {"n0", "n1"};
  certificate.kernel = "6.1";
  certificate.program = "0.1 abc";
  certificate.time = std::time(nullptr);
  certificate.traits.coherent = Known::no;
  certificate.traits.locks = LockReach::everywhere;
  certificate.traits.hole_grain = 65536;
  certificate.reasons["coherent"] = "of 64 pages, 3 lost bytes";
  certificate.call_s["mkdir"] = 0.00025;
  certificate.free_bytes = 123456789;
  return certificate;
}

}  // namespace shardmark::probe_test
