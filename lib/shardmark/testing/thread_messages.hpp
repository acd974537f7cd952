// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "shardmark/mpi/message_box.hpp"

namespace shardmark::testing {

/// Boxes of ranks that are threads of one process, for what a MessageBox promises without MPI.
class ThreadMessages {
 public:
  explicit ThreadMessages(int ranks) : inboxes_(static_cast<std::size_t>(ranks)) {}

  std::unique_ptr<MessageBox> box_of(int rank) { return std::make_unique<Box>(*this, rank); }
  std::int64_t messages() const { return messages_; }

 private:
  struct Sent {
    int from = 0;
    int tag = 0;
    std::vector<std::byte> bytes;
    std::shared_ptr<std::atomic<bool>> taken;
  };
  struct Inbox {
    std::mutex mutex;
    std::deque<Sent> sent;
  };

  class Box final : public MessageBox {
   public:
    Box(ThreadMessages& all, int rank) : all_(all), rank_(rank) {}

    int rank() const noexcept override { return rank_; }
    int size() const noexcept override { return static_cast<int>(all_.inboxes_.size()); }
    void post(int to, int tag, std::vector<std::byte> bytes) override {
      const auto taken = std::make_shared<std::atomic<bool>>(false);
      pending_.emplace_back(taken, static_cast<std::int64_t>(bytes.size()));
      ++all_.messages_;
      Inbox& inbox = all_.inboxes_[static_cast<std::size_t>(to)];
      const std::lock_guard lock(inbox.mutex);
      inbox.sent.push_back({rank_, tag, std::move(bytes), taken});
    }
    std::int64_t pending_bytes() override {
      std::int64_t bytes = 0;
      std::erase_if(pending_, [&](const auto& one) {
        bytes += *one.first ? 0 : one.second;
        return one.first->load();
      });
      return bytes;
    }
    std::optional<int> waiting() override {
      Inbox& inbox = all_.inboxes_[static_cast<std::size_t>(rank_)];
      const std::lock_guard lock(inbox.mutex);
      return inbox.sent.empty() ? std::nullopt : std::optional(inbox.sent.front().tag);
    }
    std::optional<Message> take(int tag) override { return take_if(tag); }
    std::optional<Message> take_any() override { return take_if(-1); }
    bool all_taken() override {
      pending_bytes();
      if (pending_.empty() && !std::exchange(arrived_, arrived_ || pending_.empty())) {
        ++all_.arrived_;
      }
      return all_.arrived_ == size();
    }

   private:
    std::optional<Message> take_if(int tag) {
      Inbox& inbox = all_.inboxes_[static_cast<std::size_t>(rank_)];
      const std::lock_guard lock(inbox.mutex);
      for (auto sent = inbox.sent.begin(); sent != inbox.sent.end(); ++sent) {
        if (tag < 0 || sent->tag == tag) {
          Message message{sent->from, sent->tag, std::move(sent->bytes)};
          *sent->taken = true;
          inbox.sent.erase(sent);
          return message;
        }
      }
      return std::nullopt;
    }

    ThreadMessages& all_;
    int rank_;
    bool arrived_ = false;
    std::vector<std::pair<std::shared_ptr<std::atomic<bool>>, std::int64_t>> pending_;
  };

  std::vector<Inbox> inboxes_;
  std::atomic<int> arrived_ = 0;
  std::atomic<std::int64_t> messages_ = 0;
};

}  // namespace shardmark::testing
