#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""safetensors headers of ten published models, made from their configurations.

Usage: model_headers.py DIRECTORY. Writes DIRECTORY/MODEL.safetensors, headers alone. Names and shapes are those of
the models' own files; beside each stands the dimension that its published tensor-parallel plan cuts (None: whole on
every rank). Written from those plans, with no look at the command's table of names, which it is to judge.
"""

import json
import math
import pathlib
import sys
from collections.abc import Callable, Iterator

Shape = tuple[int, ...]
# Name, dtype, shape, the dimension that is cut.
Tensor = tuple[str, str, Shape, int | None]
SIZES = {"F32": 4, "BF16": 2, "F16": 2, "F8_E4M3": 1, "U8": 1}


def linear(name: str, out: int, into: int, cut: str | None, bias: bool = False, dtype: str = "BF16") -> Iterator[Tensor]:
    """cut: "column" over what comes out, "row" over what goes in, None."""
    yield f"{name}.weight", dtype, (out, into), {"column": 0, "row": 1, None: None}[cut]
    if bias:
        yield f"{name}.bias", dtype, (out,), 0 if cut == "column" else None


def vectors(size: int, *names: str, dtype: str = "BF16") -> Iterator[Tensor]:
    for name in names:
        yield name, dtype, (size,), None


def gated_mlp(at: str, hidden: int, ffn: int, names: str = "gate_proj up_proj down_proj") -> Iterator[Tensor]:
    gate, up, down = names.split()
    yield from linear(f"{at}.{gate}", ffn, hidden, "column")
    yield from linear(f"{at}.{up}", ffn, hidden, "column")
    yield from linear(f"{at}.{down}", hidden, ffn, "row")


def attention(at: str, hidden: int, heads: int, kv_heads: int, head: int, bias: str = "") -> Iterator[Tensor]:
    """bias: of "qkvo" those that have one."""
    for part, count in (("q", heads), ("k", kv_heads), ("v", kv_heads)):
        yield from linear(f"{at}.{part}_proj", count * head, hidden, "column", part in bias)
    yield from linear(f"{at}.o_proj", hidden, heads * head, "row", "o" in bias)


def llama_frame(hidden: int, vocabulary: int, layers: int, layer: Callable[[str], Iterator[Tensor]],
                tied: bool = False, norms: str = "input_layernorm post_attention_layernorm") -> Iterator[Tensor]:  # fmt: skip
    yield from linear("model.embed_tokens", vocabulary, hidden, "column")
    for i in range(layers):
        at = f"model.layers.{i}"
        yield from layer(at)
        yield from vectors(hidden, *(f"{at}.{norm}.weight" for norm in norms.split()))
    yield from vectors(hidden, "model.norm.weight")
    if not tied:
        yield from linear("lm_head", vocabulary, hidden, "column")


def llama_3_1_8b() -> Iterator[Tensor]:
    def layer(at: str) -> Iterator[Tensor]:
        yield from attention(f"{at}.self_attn", 4096, 32, 8, 128)
        yield from gated_mlp(f"{at}.mlp", 4096, 14336)

    return llama_frame(4096, 128256, 32, layer)


def mixtral_8x7b() -> Iterator[Tensor]:
    def layer(at: str) -> Iterator[Tensor]:
        yield from attention(f"{at}.self_attn", 4096, 32, 8, 128)
        yield from linear(f"{at}.block_sparse_moe.gate", 8, 4096, None)
        for e in range(8):
            yield from gated_mlp(f"{at}.block_sparse_moe.experts.{e}", 4096, 14336, "w1 w3 w2")

    return llama_frame(4096, 32000, 32, layer)


def qwen2_5_7b() -> Iterator[Tensor]:
    def layer(at: str) -> Iterator[Tensor]:
        yield from attention(f"{at}.self_attn", 3584, 28, 4, 128, bias="qkv")
        yield from gated_mlp(f"{at}.mlp", 3584, 18944)

    return llama_frame(3584, 152064, 28, layer)


def qwen3_30b_a3b() -> Iterator[Tensor]:
    def layer(at: str) -> Iterator[Tensor]:
        yield from attention(f"{at}.self_attn", 2048, 32, 4, 128)
        yield from vectors(128, f"{at}.self_attn.q_norm.weight", f"{at}.self_attn.k_norm.weight")
        yield from linear(f"{at}.mlp.gate", 128, 2048, None)
        for e in range(128):
            yield from gated_mlp(f"{at}.mlp.experts.{e}", 2048, 768)

    return llama_frame(2048, 151936, 48, layer)


def gemma_2_9b() -> Iterator[Tensor]:
    def layer(at: str) -> Iterator[Tensor]:
        yield from attention(f"{at}.self_attn", 3584, 16, 8, 256)
        yield from gated_mlp(f"{at}.mlp", 3584, 14336)

    norms = "input_layernorm post_attention_layernorm pre_feedforward_layernorm post_feedforward_layernorm"
    return llama_frame(3584, 256000, 42, layer, tied=True, norms=norms)


def gpt2() -> Iterator[Tensor]:
    """Conv1D: weights are [in, out]."""
    def conv1d(name: str, into: int, out: int, cut: str) -> Iterator[Tensor]:
        yield f"{name}.weight", "F32", (into, out), {"column": 1, "row": 0}[cut]
        yield f"{name}.bias", "F32", (out,), 0 if cut == "column" else None

    yield from linear("wte", 50257, 768, "column", dtype="F32")
    yield from linear("wpe", 1024, 768, None, dtype="F32")
    for i in range(12):
        yield f"h.{i}.attn.bias", "F32", (1, 1, 1024, 1024), None
        yield from conv1d(f"h.{i}.attn.c_attn", 768, 2304, "column")
        yield from conv1d(f"h.{i}.attn.c_proj", 768, 768, "row")
        yield from conv1d(f"h.{i}.mlp.c_fc", 768, 3072, "column")
        yield from conv1d(f"h.{i}.mlp.c_proj", 3072, 768, "row")
        yield from vectors(768, *(f"h.{i}.{n}.{k}" for n in ("ln_1", "ln_2") for k in ("weight", "bias")), dtype="F32")
    yield from vectors(768, "ln_f.weight", "ln_f.bias", dtype="F32")


def opt_1_3b() -> Iterator[Tensor]:
    at = "model.decoder"
    yield from linear(f"{at}.embed_tokens", 50272, 2048, "column", dtype="F16")
    yield from linear(f"{at}.embed_positions", 2050, 2048, None, dtype="F16")
    for i in range(24):
        layer = f"{at}.layers.{i}"
        for part in ("k_proj", "v_proj", "q_proj"):
            yield from linear(f"{layer}.self_attn.{part}", 2048, 2048, "column", True, "F16")
        yield from linear(f"{layer}.self_attn.out_proj", 2048, 2048, "row", True, "F16")
        yield from linear(f"{layer}.fc1", 8192, 2048, "column", True, "F16")
        yield from linear(f"{layer}.fc2", 2048, 8192, "row", True, "F16")
        norms = ("self_attn_layer_norm", "final_layer_norm")
        yield from vectors(2048, *(f"{layer}.{n}.{k}" for n in norms for k in ("weight", "bias")), dtype="F16")
    yield from vectors(2048, f"{at}.final_layer_norm.weight", f"{at}.final_layer_norm.bias", dtype="F16")


def falcon_7b() -> Iterator[Tensor]:
    yield from linear("transformer.word_embeddings", 65024, 4544, "column")
    for i in range(32):
        at = f"transformer.h.{i}"
        yield from vectors(4544, f"{at}.input_layernorm.weight", f"{at}.input_layernorm.bias")
        yield from linear(f"{at}.self_attention.query_key_value", 73 * 64, 4544, "column")
        yield from linear(f"{at}.self_attention.dense", 4544, 4544, "row")
        yield from linear(f"{at}.mlp.dense_h_to_4h", 18176, 4544, "column")
        yield from linear(f"{at}.mlp.dense_4h_to_h", 4544, 18176, "row")
    yield from vectors(4544, "transformer.ln_f.weight", "transformer.ln_f.bias")
    yield from linear("lm_head", 65024, 4544, "column")


def fp8_linear(name: str, out: int, into: int, cut: str | None) -> Iterator[Tensor]:
    """A float8 weight and its scales, one a block of 128 x 128."""
    yield from linear(name, out, into, cut, dtype="F8_E4M3")
    scales = (-(-out // 128), -(-into // 128))
    yield f"{name}.weight_scale_inv", "F32", scales, {"column": 0, "row": 1, None: None}[cut]


def deepseek_v3() -> Iterator[Tensor]:
    """Dense layers, layers of experts, and the one that predicts a further token."""
    hidden, heads = 7168, 128

    def mlp(at: str, ffn: int) -> Iterator[Tensor]:
        yield from fp8_linear(f"{at}.gate_proj", ffn, hidden, "column")
        yield from fp8_linear(f"{at}.up_proj", ffn, hidden, "column")
        yield from fp8_linear(f"{at}.down_proj", hidden, ffn, "row")

    def layer(at: str, is_dense: bool) -> Iterator[Tensor]:
        attn = f"{at}.self_attn"
        yield from fp8_linear(f"{attn}.q_a_proj", 1536, hidden, None)
        yield from vectors(1536, f"{attn}.q_a_layernorm.weight")
        yield from fp8_linear(f"{attn}.q_b_proj", heads * 192, 1536, "column")
        yield from fp8_linear(f"{attn}.kv_a_proj_with_mqa", 576, hidden, None)
        yield from vectors(512, f"{attn}.kv_a_layernorm.weight")
        yield from fp8_linear(f"{attn}.kv_b_proj", heads * 256, 512, "column")
        yield from fp8_linear(f"{attn}.o_proj", hidden, heads * 128, "row")
        yield from vectors(hidden, f"{at}.input_layernorm.weight", f"{at}.post_attention_layernorm.weight")
        if is_dense:
            yield from mlp(f"{at}.mlp", 18432)
            return
        yield from linear(f"{at}.mlp.gate", 256, hidden, None)
        yield from vectors(256, f"{at}.mlp.gate.e_score_correction_bias", dtype="F32")
        for e in range(256):
            yield from mlp(f"{at}.mlp.experts.{e}", 2048)
        yield from mlp(f"{at}.mlp.shared_experts", 2048)

    yield from linear("model.embed_tokens", 129280, hidden, "column")
    for i in range(61):
        yield from layer(f"model.layers.{i}", i < 3)
    yield from vectors(hidden, "model.norm.weight")
    yield from linear("lm_head", 129280, hidden, "column")
    yield from layer("model.layers.61", False)
    yield from linear("model.layers.61.embed_tokens", 129280, hidden, "column")
    yield from linear("model.layers.61.eh_proj", hidden, 2 * hidden, None)
    yield from vectors(hidden, *(f"model.layers.61.{n}.weight" for n in ("enorm", "hnorm", "shared_head.norm")))
    yield from linear("model.layers.61.shared_head.head", 129280, hidden, "column")


def gpt_oss_20b() -> Iterator[Tensor]:
    hidden, ffn, experts = 2880, 2880, 32

    def layer(at: str) -> Iterator[Tensor]:
        yield from attention(f"{at}.self_attn", hidden, 64, 8, 64, bias="qkvo")
        yield f"{at}.self_attn.sinks", "BF16", (64,), 0
        yield from linear(f"{at}.mlp.router", experts, hidden, None, bias=True)
        # MXFP4: 32 values are 16 bytes and a scale; what is cut is the dimension of the weight itself.
        at = f"{at}.mlp.experts"
        yield f"{at}.gate_up_proj_blocks", "U8", (experts, 2 * ffn, hidden // 32, 16), 1
        yield f"{at}.gate_up_proj_scales", "U8", (experts, 2 * ffn, hidden // 32), 1
        yield f"{at}.gate_up_proj_bias", "BF16", (experts, 2 * ffn), 1
        yield f"{at}.down_proj_blocks", "U8", (experts, hidden, ffn // 32, 16), 2
        yield f"{at}.down_proj_scales", "U8", (experts, hidden, ffn // 32), 2
        yield f"{at}.down_proj_bias", "BF16", (experts, hidden), None

    return llama_frame(hidden, 201088, 24, layer)


MODELS: dict[str, Callable[[], Iterator[Tensor]]] = {
    "llama-3.1-8b": llama_3_1_8b, "mixtral-8x7b": mixtral_8x7b, "qwen2.5-7b": qwen2_5_7b,
    "qwen3-30b-a3b": qwen3_30b_a3b, "gemma-2-9b": gemma_2_9b, "gpt2": gpt2, "opt-1.3b": opt_1_3b,
    "falcon-7b": falcon_7b, "deepseek-v3": deepseek_v3, "gpt-oss-20b": gpt_oss_20b,
}  # fmt: skip


def num_bytes(tensor: Tensor) -> int:
    return SIZES[tensor[1]] * math.prod(tensor[2])


def write_header(path: pathlib.Path, tensors: list[Tensor]) -> None:
    header, at = {}, 0
    for tensor in tensors:
        name, dtype, shape, _ = tensor
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + num_bytes(tensor)]}
        at += num_bytes(tensor)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text)


def main() -> int:
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    for model in MODELS:
        tensors = list(MODELS[model]())
        write_header(pathlib.Path(sys.argv[1]) / f"{model}.safetensors", tensors)
        print(f"{model}: {len(tensors)} tensors, {sum(map(num_bytes, tensors))} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
