// SPDX-License-Identifier: Apache-2.0
#include "shardmark/plan/plan_bundle.hpp"

#include <algorithm>

namespace shardmark {
namespace {

constexpr std::uint64_t wire_version = 1;
constexpr std::int64_t max_rank = INT32_MAX;

std::string text_of(const ByteWriter& out) {
  return {reinterpret_cast<const char*>(out.bytes().data()), out.size()};
}

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

std::string encode_head(const LocalSavePlan::PlanEntry& entry) {
  ByteWriter out;
  out.text(entry.fqn);
  out.varint(static_cast<std::uint64_t>(entry.kind));
  out.varint(static_cast<std::uint64_t>(entry.dtype));
  out.varint(entry.sizes.size());
  out.dims(entry.sizes);
  return text_of(out);
}

/// Reads a body with the ndim of each head, whose numbers it gives new ones.
Status renumber(std::string_view body, std::span<const std::uint32_t> new_numbers,
                std::span<const int> ndims, std::string& renumbered) {
  ByteReader in(std::as_bytes(std::span(body)));
  ByteWriter out;
  while (!in.at_end() && in.ok()) {
    const std::uint64_t head = in.varint();
    const std::uint64_t num_boxes = in.varint();
    if (head >= new_numbers.size() || (ndims[head] == 0 && num_boxes > 1)) {
      in.fail("no such entry");
      break;
    }
    out.varint(new_numbers[head]);
    out.varint(num_boxes);
    for (std::uint64_t b = 0; b < num_boxes && in.ok(); ++b) {
      out.dims(in.dims(ndims[head]));
      out.dims(in.dims(ndims[head]));
    }
  }
  renumbered = text_of(out);
  return in.status("plan bundle");
}

/// ndim of an encoded head.
Result<int> ndim_of(std::string_view head) {
  ByteReader in(std::as_bytes(std::span(head)));
  static_cast<void>(in.text());
  static_cast<void>(in.varint());
  static_cast<void>(in.varint());
  const auto ndim = static_cast<int>(in.count(max_ndim));
  static_cast<void>(in.dims(ndim));
  if (in.ok() && !in.at_end()) {
    in.fail("bytes after an entry");
  }
  SHARDMARK_RETURN_IF_ERROR(in.status("plan bundle"));
  return ndim;
}

}  // namespace

std::uint32_t PlanBundle::head_number(std::string head) {
  const auto [at, added] =
      head_numbers_.try_emplace(std::move(head), static_cast<std::uint32_t>(heads_.size()));
  if (added) {
    heads_.push_back(at->first);
  }
  return at->second;
}

void PlanBundle::add_rank(int rank, std::string body) {
  const auto [at, added] =
      body_numbers_.try_emplace(std::move(body), static_cast<std::uint32_t>(bodies_.size()));
  if (added) {
    bodies_.push_back(at->first);
  }
  ranks_.emplace_back(rank, at->second);
}

void PlanBundle::add(int rank, const LocalSavePlan& plan) {
  ByteWriter out;
  for (const auto& entry : plan.entries) {
    out.varint(head_number(encode_head(entry)));
    out.varint(entry.num_boxes);
    for (const Box& box : plan.boxes_of(entry)) {
      out.dims(box.offsets);
      out.dims(box.sizes);
    }
  }
  add_rank(rank, text_of(out));
}

void PlanBundle::encode(ByteWriter& out) const {
  out.varint(wire_version);
  for (const auto* list : {&heads_, &bodies_}) {
    out.varint(list->size());
    for (const std::string& item : *list) {
      out.text(item);
    }
  }
  out.varint(ranks_.size());
  for (const auto& [rank, body] : ranks_) {
    out.count(rank);
    out.varint(body);
  }
}

Status PlanBundle::merge(std::span<const std::byte> bytes) {
  ByteReader in(bytes);
  if (in.varint() != wire_version) {
    in.fail("unknown version");
  }
  std::vector<std::uint32_t> new_numbers(in.length());
  std::vector<int> ndims;
  for (std::uint32_t& number : new_numbers) {
    const std::string_view head = in.text();
    SHARDMARK_RETURN_IF_ERROR(in.status("plan bundle"));
    SHARDMARK_ASSIGN_OR_RETURN(const int ndim, ndim_of(head));
    ndims.push_back(ndim);
    number = head_number(std::string(head));
  }
  std::vector<std::string> bodies(in.length());
  for (std::string& body : bodies) {
    const std::string_view text = in.text();
    SHARDMARK_RETURN_IF_ERROR(in.status("plan bundle"));
    SHARDMARK_RETURN_IF_ERROR(renumber(text, new_numbers, ndims, body));
  }
  const std::size_t num_ranks = in.length(2);
  for (std::size_t i = 0; i < num_ranks && in.ok(); ++i) {
    const auto rank = static_cast<int>(in.count(max_rank));
    const std::uint64_t body = in.varint();
    if (body >= bodies.size()) {
      in.fail("no such plan");
      break;
    }
    add_rank(rank, bodies[body]);
  }
  if (in.ok() && !in.at_end()) {
    in.fail("bytes after the end");
  }
  return in.status("plan bundle");
}

Status PlanBundle::for_each_plan(
    const std::function<Status(int rank, std::span<const std::byte>)>& take) const {
  std::vector<std::pair<int, std::uint32_t>> ranks = ranks_;
  std::sort(ranks.begin(), ranks.end());
  std::vector<int> ndims;
  for (const std::string& head : heads_) {
    SHARDMARK_ASSIGN_OR_RETURN(const int ndim, ndim_of(head));
    ndims.push_back(ndim);
  }
  for (const auto& [rank, number] : ranks) {
    // The boxes stand as a local plan has them; only names go back in.
    ByteReader in(bytes_of(bodies_[number]));
    ByteWriter entries;
    std::uint64_t num_entries = 0;
    for (; !in.at_end() && in.ok(); ++num_entries) {
      const std::uint64_t head = in.varint();
      const std::uint64_t num_boxes = in.varint();
      entries.raw(bytes_of(heads_[head]));
      entries.varint(num_boxes);
      for (std::uint64_t b = 0; b < num_boxes; ++b) {
        entries.dims(in.dims(ndims[head]));
        entries.dims(in.dims(ndims[head]));
      }
    }
    ByteWriter out;
    out.varint(local_plan_version);
    out.varint(num_entries);
    out.raw(entries.bytes());
    SHARDMARK_RETURN_IF_ERROR(take(rank, out.bytes()));
  }
  return {};
}

}  // namespace shardmark
