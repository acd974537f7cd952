// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <mpi.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "shardmark/core/result.hpp"

namespace shardmark {

/// A group of ranks of our own: a duplicate, so that no other library's messages mix with ours. All
/// collectives take any number of bytes. An MPI call that fails ends the job: after it no two ranks
/// can be trusted to agree.
class Communicator {
 public:
  /// Collective over `parent`.
  static Result<Communicator> duplicate(MPI_Comm parent);

  /// Collective over `ranks` of this one (ascending, the caller's among them) and over no other.
  Communicator of_ranks(std::span<const std::int32_t> ranks) const;

  Communicator(Communicator&& other) noexcept;
  Communicator& operator=(Communicator&&) = delete;
  /// Asserts that close() was called.
  ~Communicator();

  /// Collective over `parent`. The ranks that give the same color, in the order of their ranks.
  static Result<Communicator> split(const Communicator& parent, int color);
  /// Collective over `parent`. The ranks that can share memory with this one.
  static Result<Communicator> split_by_node(const Communicator& parent);

  /// Collective.
  void close();

  int rank() const noexcept { return rank_; }
  int size() const noexcept { return size_; }
  bool is_root() const noexcept { return rank_ == 0; }
  MPI_Comm handle() const noexcept { return comm_; }

  /// Collective the first time, known after it: whether all ranks share one node's memory.
  bool on_one_node() const;

  /// Collective.
  void barrier() const;
  /// Collective. The same, asleep between looks: for when the cores belong to other processes.
  void quiet_barrier() const;

  /// Collective. One failure is everybody's: the lowest failing rank's error on all ranks, or
  /// success. One all-reduce when nothing failed.
  Status agree(const Status& local) const;

  /// Collective. In place, element by element.
  void all_reduce(std::span<double> values, MPI_Op op) const;
  void all_reduce(std::span<std::int64_t> values, MPI_Op op) const;
  void all_reduce(std::span<std::uint64_t> values, MPI_Op op) const;
  double all_reduce(double value, MPI_Op op) const;
  std::int64_t all_reduce(std::int64_t value, MPI_Op op) const;

  /// Collective. Root's bytes on every rank; the vector is resized.
  void broadcast(std::vector<std::byte>& bytes, int root = 0) const;
  void broadcast(std::string& text, int root = 0) const;
  void broadcast(std::vector<std::uint64_t>& words, int root = 0) const;
  /// Collective. Root's bytes in place; the same length on every rank.
  void broadcast(std::span<std::byte> bytes, int root) const;

  /// Collective. Every rank's values (the same number each) in rank order, on rank 0 only.
  std::vector<double> gather(std::span<const double> values) const;
  std::vector<std::int64_t> gather(std::span<const std::int64_t> values) const;

  /// Point to point, any size. recv gives the bytes of the next message with that tag.
  void send(std::span<const std::byte> bytes, int to, int tag) const;
  std::vector<std::byte> recv(int from, int tag) const;

 private:
  explicit Communicator(MPI_Comm comm);
  void check(int return_code, const char* function) const;
  void broadcast_bytes(std::byte* data, std::size_t num_bytes, int root) const;
  template <typename Container>
  void broadcast_sized(Container& values, int root) const;

  MPI_Comm comm_ = MPI_COMM_NULL;
  int rank_ = 0;
  int size_ = 1;
  mutable std::optional<bool> on_one_node_;
};

}  // namespace shardmark
