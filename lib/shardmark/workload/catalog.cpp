// SPDX-License-Identifier: Apache-2.0
#include "shardmark/workload/catalog.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>

#include "shardmark/core/nearest_name.hpp"
#include "shardmark/workload/model_families.hpp"
#include "shardmark/workload/safetensors_model.hpp"

namespace shardmark {
namespace {

// Hyperparameters: the config.json of each model's Hugging Face repository; GPT-3 from its paper's
// table 2.1; MLPerf's from its Storage benchmark's published configurations.
constexpr LlamaShape llama3_8b{4096, 14336, 1024, 128256, 32};
constexpr LlamaShape llama3_70b{8192, 28672, 1024, 128256, 80};
constexpr LlamaShape llama3_405b{16384, 53248, 1024, 128256, 126};
constexpr MixtralShape mixtral_8x7b{{4096, 14336, 1024, 32000, 32}, 8};
constexpr GptShape gpt3_175b{12288, 50257, 2048, 96};
constexpr DeepseekShape deepseek_v3{7168, 129280, 128,  1536, 512, 128, 64,
                                    128,  18432,  2048, 256,  3,   61};
constexpr MlperfShape mlperf_8b{llama3_8b};
constexpr MlperfShape mlperf_70b{{8192, 28672, 512, 128256, 80}};
constexpr MlperfShape mlperf_405b{llama3_405b, 8};
constexpr MlperfShape mlperf_1t{{25872, 98304, 4312, 128256, 128}, 8};

struct CatalogEntry {
  std::string_view name;
  Model (*make)();  // null: made from options
};

constexpr std::array<CatalogEntry, 14> catalog = {{
    {"tiny", make_tiny},
    {"llama3-8b", [] { return make_llama(llama3_8b); }},
    {"llama3-70b", [] { return make_llama(llama3_70b); }},
    {"llama3-405b", [] { return make_llama(llama3_405b); }},
    {"mixtral-8x7b", [] { return make_mixtral(mixtral_8x7b); }},
    {"gpt3-175b", [] { return make_gpt(gpt3_175b); }},
    {"deepseek-v3", [] { return make_deepseek(deepseek_v3); }},
    {"mlperf-8b", [] { return make_mlperf(mlperf_8b); }},
    {"mlperf-70b", [] { return make_mlperf(mlperf_70b); }},
    {"mlperf-405b", [] { return make_mlperf(mlperf_405b); }},
    {"mlperf-1t", [] { return make_mlperf(mlperf_1t); }},
    {"many-small", make_many_small},
    {"square-linear", make_square_linear},
    {"matrix", nullptr},
}};

constexpr auto catalog_names = [] {
  std::array<std::string_view, catalog.size()> names{};
  for (std::size_t i = 0; i < names.size(); ++i) {
    names[i] = catalog[i].name;
  }
  return names;
}();

}  // namespace

std::span<const std::string_view> model_names() noexcept {
  return catalog_names;
}

Result<Optimizer> parse_optimizer(std::string_view name) {
  if (name == "none") {
    return Optimizer::none;
  }
  if (name == "adamw") {
    return Optimizer::adamw;
  }
  if (name == "sgd-momentum") {
    return Optimizer::sgd_momentum;
  }
  return Error{
      ErrorCode::invalid_argument,
      fmt::format("model.optimizer '{}': expected one of none, adamw, sgd-momentum", name)};
}

namespace {

Result<Model> named_model(const ModelOptions& options) {
  if (!options.safetensors.empty()) {
    auto model = read_safetensors_model(options.safetensors);
    if (!model) {
      return Error{model.error().code, "model.safetensors: " + model.error().message};
    }
    model->name = options.name;
    return model;
  }
  const auto* const entry =
      std::find_if(catalog.begin(), catalog.end(),
                   [&](const CatalogEntry& e) { return e.name == options.name; });
  if (entry == catalog.end()) {
    return Error{
        ErrorCode::invalid_argument,
        fmt::format("model.name '{}' is not in the catalog: {}{}", options.name,
                    fmt::join(catalog_names, ", "), did_you_mean(options.name, catalog_names))};
  }
  Model model;
  if (entry->make == nullptr) {
    SHARDMARK_ASSIGN_OR_RETURN(model, make_matrix(options.matrix_sizes));
  } else {
    model = entry->make();
  }
  model.name = entry->name;
  return model;
}

}  // namespace

Result<Model> make_model(const ModelOptions& options) {
  SHARDMARK_ASSIGN_OR_RETURN(Model model, named_model(options));
  SHARDMARK_ASSIGN_OR_RETURN(model.optimizer, parse_optimizer(options.optimizer));
  if (options.safetensors.empty() && options.name == "matrix") {
    model.optimizer = Optimizer::none;  // nothing trains it
  }
  if (options.dtype) {
    for (TensorSpec& tensor : model.tensors) {
      tensor.dtype = *options.dtype;
      tensor.published_dtype.clear();
    }
  }
  SHARDMARK_RETURN_IF_ERROR(check_size(model));
  if (options.scale) {
    SHARDMARK_ASSIGN_OR_RETURN(model, scaled(model, *options.scale));
  }
  if (options.stacked_experts) {
    SHARDMARK_RETURN_IF_ERROR(stack_experts(model));
  }
  return model;
}

}  // namespace shardmark
