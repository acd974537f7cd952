// SPDX-License-Identifier: Apache-2.0
#include "shardmark/storage/probe/certificate.hpp"

#include <fmt/format.h>

#include <charconv>
#include <sstream>
#include <string_view>

namespace shardmark {
namespace {

constexpr std::string_view certificate_heading = "shardmark file system certificate 1";

template <typename Number>
Number number_or(std::string_view text, Number otherwise) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? value : otherwise;
}

std::string one_line(std::string text) {
  for (char& c : text) {
    c = c == '\n' ? ' ' : c;
  }
  return text;
}

void take_line(FileSystemCertificate& to, std::string_view key, std::string_view value) {
  const std::size_t dot = key.find('.');
  const std::string_view group = key.substr(0, dot);
  const std::string name(dot == std::string_view::npos ? std::string_view() : key.substr(dot + 1));
  if (key == "mount") {
    to.mount.path = value;
  } else if (key == "type") {
    to.mount.type = value;
  } else if (key == "source") {
    to.mount.source = value;
  } else if (key == "options") {
    to.mount.options = value;
  } else if (key == "host") {
    to.hosts.emplace_back(value);
  } else if (key == "kernel") {
    to.kernel = value;
  } else if (key == "program") {
    to.program = value;
  } else if (key == "time") {
    to.time = number_or<std::int64_t>(value, 0);
  } else if (key == "free_bytes") {
    to.free_bytes = number_or<std::int64_t>(value, -1);
  } else if (key == "free_files") {
    to.free_files = number_or<std::int64_t>(value, -1);
  } else if (group == "trait") {
    static_cast<void>(assume(to.traits, name, value));
  } else if (group == "reason") {
    to.reasons[name] = value;
  } else if (group == "call_s") {
    to.call_s[name] = number_or<double>(value, 0);
  }
}

}  // namespace

std::string to_text(const FileSystemCertificate& certificate) {
  std::string text = fmt::format(
      "{}\nmount {}\ntype {}\nsource {}\noptions {}\nkernel {}\nprogram {}\ntime {}\n"
      "free_bytes {}\nfree_files {}\n",
      certificate_heading, one_line(certificate.mount.path), certificate.mount.type,
      one_line(certificate.mount.source), one_line(certificate.mount.options), certificate.kernel,
      certificate.program, certificate.time, certificate.free_bytes, certificate.free_files);
  for (const std::string& host : certificate.hosts) {
    text += fmt::format("host {}\n", host);
  }
  for (const auto& [name, value] : trait_values(certificate.traits)) {
    text += fmt::format("trait.{} {}\n", name, value);
  }
  for (const auto& [name, reason] : certificate.reasons) {
    text += fmt::format("reason.{} {}\n", name, one_line(reason));
  }
  for (const auto& [name, seconds] : certificate.call_s) {
    text += fmt::format("call_s.{} {}\n", name, seconds);
  }
  return text;
}

std::optional<FileSystemCertificate> parse_certificate(const std::string& text) {
  std::istringstream lines(text);
  std::string line;
  if (!std::getline(lines, line) || line != certificate_heading) {
    return std::nullopt;
  }
  FileSystemCertificate certificate;
  while (std::getline(lines, line)) {
    const std::size_t space = line.find(' ');
    if (space != std::string::npos) {
      take_line(certificate, std::string_view(line).substr(0, space),
                std::string_view(line).substr(space + 1));
    }
  }
  return certificate.time > 0 ? std::optional(certificate) : std::nullopt;
}

std::vector<std::string> weaknesses(const FileSystemTraits& traits) {
  std::vector<std::string> found;
  const auto add_if = [&](bool weaker, std::string_view what) {
    if (weaker) {
      found.emplace_back(what);
    }
  };
  add_if(traits.coherent == Known::no,
         "two nodes cannot write parts of one page: what one has read it may write back over the "
         "other's bytes");
  add_if(
      traits.rename_noreplace == Known::no,
      "no rename that refuses to replace: two jobs that commit the same step are kept apart by a "
      "lock and by the files in it");
  add_if(traits.fsync_folder == Known::no,
         "folders cannot be synced: after a power loss the newest step may not be there");
  add_if(traits.fallocate == Known::no,
         "space cannot be reserved: a full disk is found while elements are written");
  add_if(traits.seek_hole == Known::no,
         "lost bytes show in no hole: what was written is read back to prove it");
  add_if(traits.zeros_kept == Known::no,
         "written zeros become holes: what was written is read back to prove it");
  add_if(traits.o_direct == Known::no,
         "no O_DIRECT: elements pass the page cache, and rates are those of memory as well");
  add_if(traits.page_residency == Known::no,
         "what a read finds in memory cannot be seen: reads are cold or warm, nobody knows");
  add_if(traits.file_numbers == Known::no, "file numbers do not tell files apart");
  add_if(traits.prompt_names == Known::no,
         "who has looked for a name too early may not see it for a while: visible times are of the "
         "observers' caches as well");
  add_if(traits.locks == LockReach::none,
         "no locks: leftovers of other hosts' dead jobs are swept by their age alone");
  add_if(traits.locks == LockReach::node,
         "locks do not reach other nodes: leftovers of other hosts' dead jobs are swept by their "
         "age alone");
  return found;
}

std::vector<std::pair<std::string, std::string>> decisions(const FileSystemTraits& traits) {
  const bool holes_prove = traits.seek_hole != Known::no && traits.zeros_kept != Known::no;
  return {
      {"o_direct", traits.o_direct == Known::no ? "off" : "on where storage.o_direct asks for it"},
      {"proof", traits.coherent == Known::no ? "read back from storage"
                : holes_prove                ? "by holes"
                                             : "read back"},
      {"exchange", traits.coherent == Known::no ? "needed" : "by choice"},
      {"sweep", fmt::format("this host's by process and lock, others' after {:.0f} s of silence",
                            traits.silent_limit_s)},
      {"visible", traits.prompt_names == Known::no ? "first look, no earlier ones" : "polled"},
      {"cold", traits.page_residency == Known::no ? "unknown" : "by page residency"},
  };
}

}  // namespace shardmark
