"""The graph against BERT written out in numpy, and the bound that int8 must keep."""

from __future__ import annotations

import math

import numpy as np
import onnxruntime
import pytest
from holdfast.errors import ProviderError
from holdfast.providers.bert import WEIGHT_LEVELS, build_graph, quantise_rows
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

HIDDEN, INNER, HEADS, LAYERS, WORDS, PLACES = 32, 64, 4, 2, 50, 16


def tiny_bert() -> dict[str, np.ndarray]:
    random = np.random.default_rng(7)
    shapes = {
        "embeddings.word_embeddings.weight": (WORDS, HIDDEN),
        "embeddings.position_embeddings.weight": (PLACES, HIDDEN),
        "embeddings.token_type_embeddings.weight": (2, HIDDEN),
    }
    norms = ["embeddings.LayerNorm"]
    for layer in range(LAYERS):
        prefix = f"encoder.layer.{layer}."
        dense = {f"attention.self.{part}": (HIDDEN, HIDDEN) for part in ("query", "key", "value")}
        dense["attention.output.dense"] = (HIDDEN, HIDDEN)
        dense |= {"intermediate.dense": (INNER, HIDDEN), "output.dense": (HIDDEN, INNER)}
        for name, shape in dense.items():
            shapes[prefix + name + ".weight"] = shape
            shapes[prefix + name + ".bias"] = shape[:1]
        norms += [prefix + "attention.output.LayerNorm", prefix + "output.LayerNorm"]
    for name in norms:
        shapes[name + ".weight"] = shapes[name + ".bias"] = (HIDDEN,)
    return {name: random.normal(0, 0.3, shape).astype("f4") for name, shape in shapes.items()}


def reference(w: dict[str, np.ndarray], ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
    def norm(x: np.ndarray, name: str) -> np.ndarray:
        centred = x - x.mean(-1, keepdims=True)
        unit = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
        return unit * w[name + ".weight"] + w[name + ".bias"]

    def dense(x: np.ndarray, name: str) -> np.ndarray:
        return x @ w[name + ".weight"].T + w[name + ".bias"]

    def split(x: np.ndarray) -> np.ndarray:
        return x.reshape(*x.shape[:2], HEADS, -1).transpose(0, 2, 1, 3)

    e = "embeddings."
    places = w[e + "position_embeddings.weight"][: ids.shape[1]]
    x = w[e + "word_embeddings.weight"][ids] + places + w[e + "token_type_embeddings.weight"][0]
    x = norm(x, e + "LayerNorm")
    erf = np.vectorize(math.erf)
    for layer in range(LAYERS):
        a = f"encoder.layer.{layer}.attention."
        q, k, v = (split(dense(x, f"{a}self.{part}")) for part in ("query", "key", "value"))
        scores = q @ k.transpose(0, 1, 3, 2) / math.sqrt(HIDDEN // HEADS)
        scores = np.where(mask[:, None, None, :] == 1, scores, -1e9)
        weights = np.exp(scores - scores.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        joined = (weights @ v).transpose(0, 2, 1, 3).reshape(x.shape)
        x = norm(dense(joined, a + "output.dense") + x, a + "output.LayerNorm")
        inner = dense(x, f"encoder.layer.{layer}.intermediate.dense")
        inner = inner * (1 + erf(inner / math.sqrt(2))) / 2
        o = f"encoder.layer.{layer}.output."
        x = norm(dense(inner, o + "dense") + x, o + "LayerNorm")
    return x


@pytest.mark.parametrize(("quantise", "tolerance"), [(False, 1e-4), (True, 0.15)])
def test_the_graph_computes_bert(quantise: bool, tolerance: float) -> None:
    weights = tiny_bert()
    ids = np.array([[3, 7, 49, 0], [11, 2, 5, 30]])
    mask = np.array([[1, 1, 1, 0], [1, 1, 1, 1]])
    graph = build_graph(weights, heads=HEADS, max_tokens=PLACES, quantise=quantise)
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"input_ids": ids, "attention_mask": mask})
    difference = (found - reference(weights, ids, mask))[mask == 1]
    assert np.abs(difference).max() < tolerance


def test_weights_of_another_network_are_refused() -> None:
    weights = tiny_bert()
    del weights["encoder.layer.1.intermediate.dense.bias"]
    with pytest.raises(ProviderError, match=r"intermediate\.dense\.bias"):
        build_graph(weights, heads=HEADS, max_tokens=PLACES, quantise=False)


MATRICES = arrays.arrays(
    np.float32, (3, 5), elements=st.floats(-100, 100, width=32).filter(lambda x: abs(x) != 1e-45)
)


@settings(max_examples=50)
@given(MATRICES)
def test_quantised_rows_are_right_within_half_a_step(matrix: np.ndarray) -> None:
    codes, scale = quantise_rows(matrix, WEIGHT_LEVELS)
    error = np.abs(codes * scale[:, None] - matrix)
    assert (error <= scale[:, None] * 0.5001 + 1e-30).all()


@settings(max_examples=50)
@given(MATRICES)
def test_two_products_fit_in_16_bits_so_every_cpu_agrees(matrix: np.ndarray) -> None:
    codes, _ = quantise_rows(matrix, WEIGHT_LEVELS)
    assert 2 * 255 * int(np.abs(codes.astype(int)).max()) <= np.iinfo(np.int16).max
