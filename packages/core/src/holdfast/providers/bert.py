"""BERT weights to an ONNX graph with int8 matrix products.

Quantisation: weights per output column, activations per token (as LLM.int8() does, Dettmers et
al. 2022, without its outlier path), both symmetric. A scale per token rather than per batch
makes a text's vector independent of the texts embedded beside it. Weights keep 7 bits: on
x86 CPUs without VNNI the kernels add pairs of products in 16 bits, and 255 x 64 x 2 still fits,
so every CPU computes the same integers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from holdfast.errors import ProviderError

WEIGHT_LEVELS = 64
ACTIVATION_LEVELS = 127
_ZERO = 128
_LAYER_NORM_EPSILON = 1e-12
_OPSET = 18
_IR_VERSION = 8
_FUSED = "com.microsoft"
_DTYPES = {"F32": "<f4", "F16": "<f2", "I64": "<i8"}

Array: TypeAlias = NDArray[Any]
Weights: TypeAlias = Mapping[str, Array]


def read_safetensors(path: Path) -> dict[str, Array]:
    """Map the tensors of a safetensors file: a JSON header's length, the header, raw data.

    Raises:
        ProviderError: The file is damaged or holds a number type other than F32, F16, I64.
    """
    try:
        raw = np.memmap(path, dtype=np.uint8, mode="r")
        start = 8 + int(raw[:8].view("<u8")[0])
        header = json.loads(raw[8:start].tobytes())
        header.pop("__metadata__", None)
        return {name: _tensor(raw[start:], entry) for name, entry in header.items()}
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise ProviderError(f"cannot read the weights in {path}: {error!r}") from error


def _tensor(data: Array, entry: Mapping[str, Any]) -> Array:
    begin, end = entry["data_offsets"]
    return data[begin:end].view(_DTYPES[entry["dtype"]]).reshape(entry["shape"])


def build_graph(
    weights: Weights, *, heads: int | None = None, max_tokens: int, quantise: bool
) -> bytes:
    """Build the serialised ONNX graph of a BERT encoder.

    Inputs are ``input_ids`` and ``attention_mask`` (int64, texts x tokens), the output is
    ``last_hidden_state`` (float32, texts x tokens x hidden size).

    Args:
        weights: Tensors under the names Hugging Face gives them.
        heads: Attention heads; by default 12 at hidden size 384 (MiniLM), else one in 64.
        max_tokens: Longest text the graph takes.
        quantise: int8 embeddings and matrix products, else float32.

    Raises:
        ProviderError: A tensor of a BERT encoder is missing.
    """
    try:
        return _Graph(weights, quantise).build(heads, max_tokens)
    except KeyError as error:
        raise ProviderError(f"the weights are not those of a BERT encoder: no {error}") from error


class _Graph:
    """Collects nodes and constants; every method returns the name of its output."""

    def __init__(self, weights: Weights, quantise: bool) -> None:
        self.weights = weights
        self.quantise = quantise
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}

    def build(self, heads: int | None, max_tokens: int) -> bytes:
        hidden = self.weights["embeddings.LayerNorm.weight"].size
        heads = heads or (12 if hidden == 384 else hidden // 64)
        self.node("Cast", ["attention_mask"], "mask", to=TensorProto.INT32)
        x = self.embeddings(max_tokens)
        layer = 0
        while f"encoder.layer.{layer}.output.dense.weight" in self.weights:
            x = self.layer(f"encoder.layer.{layer}.", x, heads)
            layer += 1
        self.node("Identity", [x], "last_hidden_state")
        return self.serialise(hidden)

    def embeddings(self, max_tokens: int) -> str:
        """Sum the embeddings of word, position and segment 0, and normalise."""
        prefix = "embeddings."
        positions = self.tensor(prefix + "position_embeddings.weight")[:max_tokens]
        segment = self.tensor(prefix + "token_type_embeddings.weight")[0]
        table = self.constant("positions", positions + segment)
        words = self.words(self.tensor(prefix + "word_embeddings.weight"))
        self.node("Shape", ["input_ids"], "length", start=1)
        bounds = [self.constant("first", np.array([0])), "length", self.constant("axis0", [0])]
        places = self.node("Slice", [table, *bounds], "places")
        total = self.node("Add", [words, places], "embedded")
        norm = [self.weight(prefix + "LayerNorm.weight"), self.weight(prefix + "LayerNorm.bias")]
        return self.node(
            "LayerNormalization", [total, *norm], "embeddings", epsilon=_LAYER_NORM_EPSILON
        )

    def words(self, table: Array) -> str:
        if not self.quantise:
            return self.node("Gather", [self.constant("words.table", table), "input_ids"], "words")
        codes, scale = quantise_rows(table, 127)
        row = self.node("Gather", [self.constant("words.codes", codes), "input_ids"], "words.row")
        scales = [self.constant("words.scales", scale[:, None]), "input_ids"]
        wide = self.node("Cast", [row], "words.wide", to=TensorProto.FLOAT)
        return self.node("Mul", [wide, self.node("Gather", scales, "words.scale")], "words")

    def layer(self, prefix: str, x: str, heads: int) -> str:
        """One encoder layer: attention, then two dense layers, each added and normalised."""
        attended = self.attention(prefix + "attention.", x, heads)
        x = self.add_and_norm(prefix + "attention.output.", attended, x)
        inner, bias = self.dense(prefix + "intermediate.dense", x)
        inner = self.node("BiasGelu", [inner, bias], prefix + "gelu", domain=_FUSED)
        return self.add_and_norm(prefix + "output.", inner, x)

    def attention(self, prefix: str, x: str, heads: int) -> str:
        """Query, key and value as one product, split, and fused attention."""
        names = [f"{prefix}self.{part}" for part in ("query", "key", "value")]
        matrix = np.concatenate([self.tensor(name + ".weight") for name in names])
        bias = np.concatenate([self.tensor(name + ".bias") for name in names])
        joint = self.product(prefix + "qkv", x, matrix)
        parts = [name + ".part" for name in names]
        self.nodes.append(helper.make_node("Split", [joint], parts, axis=-1, num_outputs=3))
        inputs = [*parts, self.constant(prefix + "qkv.bias", bias), "mask"]
        return self.node(
            "MultiHeadAttention", inputs, prefix + "out", domain=_FUSED, num_heads=heads
        )

    def add_and_norm(self, prefix: str, x: str, skip: str) -> str:
        product, bias = self.dense(prefix + "dense", x)
        norm = [self.weight(prefix + "LayerNorm.weight"), self.weight(prefix + "LayerNorm.bias")]
        return self.node(
            "SkipLayerNormalization",
            [product, skip, *norm, bias],
            prefix + "out",
            domain=_FUSED,
            epsilon=_LAYER_NORM_EPSILON,
        )

    def dense(self, name: str, x: str) -> tuple[str, str]:
        """Return the product and, apart, the bias (the next fused node adds it)."""
        return self.product(name, x, self.tensor(name + ".weight")), self.weight(name + ".bias")

    def product(self, name: str, x: str, matrix: Array) -> str:
        """Multiply by the transpose of `matrix` (outputs x inputs)."""
        if not self.quantise:
            return self.node("MatMul", [x, self.constant(name + ".matrix", matrix.T)], name)
        codes, scales = quantise_rows(matrix, WEIGHT_LEVELS)
        x_codes, x_scale = self.quantise_tokens(name, x)
        zero = self.constant("zero", np.array(_ZERO, np.uint8))
        inputs = [x_codes, self.constant(name + ".codes", codes.T), zero]
        sums = self.node("MatMulInteger", inputs, name + ".sums")
        wide = self.node("Cast", [sums], name + ".wide", to=TensorProto.FLOAT)
        scaled = self.node("Mul", [wide, x_scale], name + ".scaled")
        return self.node("Mul", [scaled, self.constant(name + ".scales", scales)], name)

    def quantise_tokens(self, name: str, x: str) -> tuple[str, str]:
        """Return each token's codes (uint8 around 128) and its scale."""
        last = self.constant("last", np.array([-1]))
        step = self.constant("step", np.array(1 / ACTIVATION_LEVELS, np.float32))
        # The cast truncates, so the offset is half a step more.
        offset = self.constant("offset", np.array(_ZERO + 0.5, np.float32))
        size = self.node("Abs", [x], name + ".abs")
        peak = self.node("ReduceMax", [size, last], name + ".peak", keepdims=1)
        scale = self.node("Mul", [peak, step], name + ".scale")
        ratio = self.node("Div", [x, scale], name + ".ratio")
        shifted = self.node("Add", [ratio, offset], name + ".shifted")
        return self.node("Cast", [shifted], name + ".u8", to=TensorProto.UINT8), scale

    def tensor(self, name: str) -> Array:
        return np.asarray(self.weights[name], dtype=np.float32)

    def weight(self, name: str) -> str:
        return self.constant(name, self.tensor(name))

    def constant(self, name: str, value: Array | list[int]) -> str:
        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def node(
        self, operator: str, inputs: list[str], output: str, domain: str = "", **attributes: Any
    ) -> str:
        node = helper.make_node(operator, inputs, [output], domain=domain, **attributes)
        self.nodes.append(node)
        return output

    def serialise(self, hidden: int) -> bytes:
        shape = ["texts", "tokens"]
        inputs = [
            helper.make_tensor_value_info(name, TensorProto.INT64, shape)
            for name in ("input_ids", "attention_mask")
        ]
        output = helper.make_tensor_value_info(
            "last_hidden_state", TensorProto.FLOAT, [*shape, hidden]
        )
        constants = list(self.constants.values())
        graph = helper.make_graph(self.nodes, "bert", inputs, [output], constants)
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(_FUSED, 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)
        return bytes(model.SerializeToString())


def quantise_rows(matrix: Array, levels: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Round each row to ``-levels..levels``; return the codes and each row's scale."""
    peak = np.abs(matrix).max(axis=1)
    # A row of denormal numbers is as good as zero: its scale would be zero in float32.
    usable = peak / levels >= np.finfo(np.float32).tiny
    scale = np.where(usable, peak / levels, 1).astype(np.float32)
    return np.round(matrix / scale[:, None]).astype(np.int8), scale
