// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "shardmark/storage/probe/certificate.hpp"

namespace shardmark {

/// Local. Tries in the empty folder `folder` what one node alone can see, and notes it: traits with
/// their reasons, times of calls, what is free. Leaves what it made; nothing outside is touched.
void try_local(const std::string& folder, FileSystemCertificate& certificate);

}  // namespace shardmark
