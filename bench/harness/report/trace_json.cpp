// SPDX-License-Identifier: Apache-2.0
#include "bench/harness/report/trace_json.hpp"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

namespace shardmark::bench {
namespace {

using Json = nlohmann::ordered_json;

constexpr double ns_per_us = 1000;

class Trace {
 public:
  Trace(const RunContext& context, std::span<const Sample> samples)
      : context_(context), begin_ns_(first_event_ns(samples)) {}

  void name_processes() {
    const NodeTopology& topology = context_.topology;
    for (std::size_t node = 0; node < topology.host_of_node.size(); ++node) {
      events_.push_back({{"name", "process_name"},
                         {"ph", "M"},
                         {"pid", node},
                         {"tid", 0},
                         {"args", {{"name", topology.host_of_node[node]}}}});
    }
    for (std::size_t rank = 0; rank < topology.node_of_rank.size(); ++rank) {
      events_.push_back({{"name", "thread_name"},
                         {"ph", "M"},
                         {"pid", topology.node_of_rank[rank]},
                         {"tid", rank},
                         {"args", {{"name", "rank " + std::to_string(rank)}}}});
    }
  }

  void append(const CaseDescription& of, const Sample& sample) {
    for (std::size_t rank = 0; rank < sample.events.size(); ++rank) {
      for (const PhaseEvent& event : sample.events[rank]) {
        events_.push_back({{"name", phase_name(event.phase)},
                           {"cat", of.family.name},
                           {"ph", "X"},
                           {"ts", us(event.begin_ns, rank)},
                           {"dur", static_cast<double>(event.end_ns - event.begin_ns) / ns_per_us},
                           {"pid", context_.topology.node_of_rank[rank]},
                           {"tid", rank},
                           {"args", {{"sample", of.name}, {"repetition", sample.repetition}}}});
      }
    }
  }

  std::string text() const {
    Json clocks = Json::array();
    for (std::size_t node = 0; node < context_.clock_offsets.size(); ++node) {
      clocks.push_back({{"node", node},
                        {"offset_ns", context_.clock_offsets[node].offset_ns},
                        {"error_ns", context_.clock_offsets[node].error_ns}});
    }
    const Json document = {{"traceEvents", events_},
                           {"displayTimeUnit", "ms"},
                           {"otherData", {{"suite", context_.suite}, {"clocks", clocks}}}};
    return document.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  }

 private:
  std::int64_t offset_ns(std::size_t rank) const {
    const auto node = static_cast<std::size_t>(context_.topology.node_of_rank[rank]);
    return node < context_.clock_offsets.size() ? context_.clock_offsets[node].offset_ns : 0;
  }

  std::int64_t first_event_ns(std::span<const Sample> samples) const {
    std::int64_t first = std::numeric_limits<std::int64_t>::max();
    for (const Sample& sample : samples) {
      for (std::size_t rank = 0; rank < sample.events.size(); ++rank) {
        for (const PhaseEvent& event : sample.events[rank]) {
          first = std::min(first, event.begin_ns + offset_ns(rank));
        }
      }
    }
    return first;
  }

  double us(std::int64_t time_ns, std::size_t rank) const {
    return static_cast<double>(time_ns + offset_ns(rank) - begin_ns_) / ns_per_us;
  }

  const RunContext& context_;
  std::int64_t begin_ns_;
  Json events_ = Json::array();
};

}  // namespace

std::string trace_json(const RunContext& context, std::span<const CaseDescription> cases,
                       std::span<const Sample> samples) {
  Trace trace(context, samples);
  trace.name_processes();
  for (const Sample& sample : samples) {
    trace.append(cases[sample.case_index], sample);
  }
  return trace.text();
}

}  // namespace shardmark::bench
