// SPDX-License-Identifier: Apache-2.0
#include "shardmark/checkpoint/mpi_plan_exchange.hpp"

#include <algorithm>

#include "shardmark/plan/tables/byte_codec.hpp"

namespace shardmark {
namespace {

constexpr int gather_tag = 1;
constexpr int scatter_tag = 2;

}  // namespace

Status MpiPlanExchange::gather(const Make& make, const Take& take) {
  // A rank whose message cannot be made sends an empty one, so that nobody waits; the agreement
  // tells why.
  auto made = make(rank_);
  Status status(made);
  const Bytes own = made ? std::move(*made) : Bytes();
  if (!comm_.is_root()) {
    comm_.send(own, 0, gather_tag);
    return comm_.agree(status);
  }
  if (status) {
    status = take(rank_, own);
  }
  for (int rank = 1; rank < comm_.size(); ++rank) {
    const Bytes bytes = comm_.recv(rank, gather_tag);
    if (status && !bytes.empty()) {
      status = take(rank, bytes);
    }
  }
  return comm_.agree(status);
}

Status MpiPlanExchange::scatter(const Make& make, const Take& take) {
  if (!comm_.is_root()) {
    const Bytes bytes = comm_.recv(0, scatter_tag);
    return comm_.agree(bytes.empty() ? Status() : take(rank_, bytes));
  }
  Status status;
  for (int rank = comm_.size() - 1; rank >= 0; --rank) {
    auto made = make(rank);
    if (status && !made) {
      status = Status(made);
    }
    const Bytes bytes = made ? std::move(*made) : Bytes();
    if (rank != 0) {
      comm_.send(bytes, rank, scatter_tag);
    } else if (status) {
      status = take(rank, bytes);
    }
  }
  return comm_.agree(status);
}

Status MpiPlanExchange::gather_along(const PlanTree& tree, PlanMerge& merge) {
  // As in gather(): a rank that has failed sends an empty message, and still takes its children's.
  Status status = merge.begin(rank_);
  for (const int child : tree.children_of(rank_)) {
    const Bytes bytes = comm_.recv(child, gather_tag);
    if (status && !bytes.empty()) {
      status = merge.take(rank_, child, bytes);
    }
  }
  if (!comm_.is_root()) {
    Bytes own;
    if (status) {
      auto made = merge.make(rank_);
      status = Status(made);
      own = made ? std::move(*made) : Bytes();
    }
    comm_.send(own, tree.parent_of(rank_), gather_tag);
  }
  return comm_.agree(status);
}

Status MpiPlanExchange::scatter_along(const PlanTree& tree, const Make& make, const Take& take) {
  // One message a child: its own bytes and those of all ranks below it, by rank, so that what goes
  // on from there is a part of it as it is.
  Status status;
  Bytes own;
  std::vector<int> children = tree.children_of(rank_);
  std::reverse(children.begin(), children.end());  // the widest part first
  if (comm_.is_root()) {
    const auto make_one = [&](int rank) {
      auto made = make(rank);
      if (status && !made) {
        status = Status(made);
      }
      return made ? std::move(*made) : Bytes();
    };
    for (const int child : children) {
      ByteWriter bundle;
      for (int rank = child; rank < tree.end_of(child); ++rank) {
        const Bytes bytes = make_one(rank);
        bundle.varint(bytes.size());
        bundle.raw(bytes);
      }
      comm_.send(bundle.bytes(), child, scatter_tag);
    }
    own = make_one(rank_);
  } else {
    const Bytes bundle = comm_.recv(tree.parent_of(rank_), scatter_tag);
    ByteReader in(bundle);
    const std::string_view first = in.text();
    const auto* data = reinterpret_cast<const std::byte*>(first.data());
    own.assign(data, data + first.size());
    std::vector<std::size_t> start_of;  // of each child's part, children ascending
    for (auto child = children.rbegin(); child != children.rend(); ++child) {
      start_of.push_back(in.position());
      for (int rank = *child; rank < tree.end_of(*child); ++rank) {
        static_cast<void>(in.text());
      }
    }
    start_of.push_back(bundle.size());
    for (std::size_t i = children.size(); i-- > 0;) {
      comm_.send(std::span(bundle).subspan(start_of[i], start_of[i + 1] - start_of[i]),
                 children[children.size() - 1 - i], scatter_tag);
    }
  }
  if (status && !own.empty()) {
    status = take(rank_, own);
  }
  return comm_.agree(status);
}

Status MpiPlanExchange::broadcast(Bytes& bytes) {
  comm_.broadcast(bytes);
  return {};
}

Status MpiPlanExchange::all_reduce(std::span<std::uint64_t> values, ReduceOp op) {
  switch (op) {
    case ReduceOp::sum:
      comm_.all_reduce(values, MPI_SUM);
      break;
    case ReduceOp::max:
      comm_.all_reduce(values, MPI_MAX);
      break;
    case ReduceOp::min:
      comm_.all_reduce(values, MPI_MIN);
      break;
    case ReduceOp::bit_or:
      comm_.all_reduce(values, MPI_BOR);
      break;
  }
  return {};
}

}  // namespace shardmark
