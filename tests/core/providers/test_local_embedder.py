"""The default embedder: real weights, no network."""

from __future__ import annotations

import asyncio
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from holdfast import errors
from holdfast.providers.folder import ModelFolder, packaged_model, require
from holdfast.providers.local import LocalEmbedder, default_embedder

pytestmark = pytest.mark.slow

SENTENCES = [
    "My daughter started school in Lisbon this week.",
    "We adopted a grey cat and named him Pebble.",
    "The quarterly report is due on Friday at noon.",
    "I am allergic to peanuts and shellfish.",
    "Deploy the new version to the staging cluster first.",
    "She ran her first marathon in under four hours.",
    "The invoice from the plumber was higher than expected, so I called to ask why.",
    "He plays the cello in a small orchestra on Sundays.",
    "Our flight to Tokyo leaves early in the morning.",
    "The garden needs water twice a week in summer.",
]
QUESTIONS = {
    "What pet do we have?": 1,
    "Which foods must I avoid?": 3,
    "What instrument does he play?": 7,
    "Where does the child go to school?": 0,
    "When do we travel to Japan?": 8,
    "How often should I water the plants?": 9,
}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def embedder(cache: Path) -> LocalEmbedder:
    return LocalEmbedder(cache=cache)


@pytest.fixture(scope="module")
def exact(cache: Path) -> LocalEmbedder:
    return LocalEmbedder(cache=cache, quantise=False)


def matrix(embedder: LocalEmbedder, texts: list[str]) -> np.ndarray:
    return np.array(embedder.embed(texts))


def test_vectors_are_of_unit_length_and_384_wide(embedder: LocalEmbedder) -> None:
    vectors = matrix(embedder, SENTENCES)
    assert vectors.shape == (len(SENTENCES), 384)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize(("question", "answer"), QUESTIONS.items())
def test_a_question_lies_nearest_its_answer(
    embedder: LocalEmbedder, question: str, answer: int
) -> None:
    scores = matrix(embedder, SENTENCES) @ np.array(embedder.embed_query(question))
    assert scores.argmax() == answer


def test_int8_agrees_with_float32(embedder: LocalEmbedder, exact: LocalEmbedder) -> None:
    texts = [*SENTENCES, *QUESTIONS]
    cosines = (matrix(embedder, texts) * matrix(exact, texts)).sum(axis=1)
    assert cosines.min() > 0.97
    assert cosines.mean() > 0.99


def test_int8_and_float32_choose_the_same_neighbours(
    embedder: LocalEmbedder, exact: LocalEmbedder
) -> None:
    nearest = [
        (matrix(model, list(QUESTIONS)) @ matrix(model, SENTENCES).T).argmax(axis=1).tolist()
        for model in (embedder, exact)
    ]
    assert nearest[0] == nearest[1]


def test_a_vector_does_not_depend_on_the_texts_beside_it(embedder: LocalEmbedder) -> None:
    together = matrix(embedder, [*SENTENCES, "long " * 200])
    alone = np.vstack([matrix(embedder, [text]) for text in SENTENCES])
    assert np.allclose(together[:-1], alone, atol=1e-5)


def test_order_is_kept_over_batches(cache: Path) -> None:
    small = LocalEmbedder(cache=cache, batch_size=3)
    assert np.allclose(matrix(small, SENTENCES), matrix(small, SENTENCES[::-1])[::-1], atol=1e-5)


def test_no_texts_give_no_vectors(embedder: LocalEmbedder) -> None:
    assert embedder.embed([]) == []


def test_text_beyond_the_token_limit_is_cut_off(embedder: LocalEmbedder) -> None:
    first, second = matrix(embedder, ["word " * 300 + "cats", "word " * 100_000 + "dogs"])
    assert np.allclose(first, second, atol=1e-5)


@pytest.mark.parametrize("text", ["", "\0", "\ud800 broken", "日本語のテキスト", "🙂" * 1000])
def test_odd_texts_have_vectors(embedder: LocalEmbedder, text: str) -> None:
    assert np.isclose(np.linalg.norm(embedder.embed([text])[0]), 1, atol=1e-6)


def test_threads_share_one_embedder(cache: Path) -> None:
    shared = LocalEmbedder(cache=cache)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: shared.embed(SENTENCES[:3]), range(16)))
    assert all(answer == answers[0] for answer in answers)


def test_the_async_twin_gives_the_same_vectors(embedder: LocalEmbedder) -> None:
    assert asyncio.run(embedder.aembed(SENTENCES[:2])) == embedder.embed(SENTENCES[:2])


def test_the_fingerprint_names_model_precision_and_weights(
    embedder: LocalEmbedder, exact: LocalEmbedder
) -> None:
    assert embedder.fingerprint == "all-MiniLM-L6-v2/int8/53aa51172d14"
    assert exact.fingerprint == "all-MiniLM-L6-v2/fp32/53aa51172d14"


def test_the_same_weights_in_a_folder_of_ones_own_have_the_same_fingerprint(
    embedder: LocalEmbedder,
) -> None:
    assert LocalEmbedder(packaged_model().path).fingerprint == embedder.fingerprint


def test_the_default_embedder_is_the_local_one() -> None:
    assert default_embedder().fingerprint == "all-MiniLM-L6-v2/int8/53aa51172d14"


def test_the_converted_model_is_kept_and_used_again(tmp_path: Path) -> None:
    vectors = LocalEmbedder(cache=tmp_path).embed(SENTENCES[:1])
    (kept,) = tmp_path.iterdir()
    written = kept.stat().st_mtime_ns
    assert LocalEmbedder(cache=tmp_path).embed(SENTENCES[:1]) == vectors
    assert [(path, path.stat().st_mtime_ns) for path in tmp_path.iterdir()] == [(kept, written)]


def test_a_damaged_cached_model_is_made_anew(tmp_path: Path, embedder: LocalEmbedder) -> None:
    LocalEmbedder(cache=tmp_path).embed(["x"])
    (kept,) = tmp_path.iterdir()
    size = kept.stat().st_size
    kept.write_bytes(b"not a model")
    assert LocalEmbedder(cache=tmp_path).embed(["x"]) == embedder.embed(["x"])
    assert kept.stat().st_size == size


def test_a_cache_that_cannot_be_written_to_is_no_error(
    tmp_path: Path, embedder: LocalEmbedder
) -> None:
    (tmp_path / "file").touch()
    blocked = LocalEmbedder(cache=tmp_path / "file" / "cache")
    assert blocked.embed(["x"]) == embedder.embed(["x"])


def test_a_folder_with_an_onnx_model_is_used_as_it_is(tmp_path: Path, cache: Path) -> None:
    exact = LocalEmbedder(cache=cache, quantise=False)
    expected = exact.embed(SENTENCES)
    (kept,) = cache.glob("*-fp32-*")
    folder = tmp_path / "my-model"
    folder.mkdir()
    shutil.copy(kept, folder / "model.onnx")
    shutil.copy(packaged_model().tokenizer, folder)
    own = LocalEmbedder(folder, cache=tmp_path / "unused")
    assert own.embed(SENTENCES) == expected
    assert own.fingerprint.startswith("my-model/onnx/")
    assert not (tmp_path / "unused").exists()


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(errors.ProviderError, match=r"no model.onnx or model.safetensors"):
        LocalEmbedder(tmp_path)


def test_a_folder_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").touch()
    with pytest.raises(errors.ProviderError, match=r"no tokenizer.json"):
        LocalEmbedder(tmp_path)


@pytest.mark.parametrize("weights", ["model.onnx", "model.safetensors"])
def test_a_damaged_model_is_a_provider_error(tmp_path: Path, weights: str) -> None:
    shutil.copy(packaged_model().tokenizer, tmp_path)
    (tmp_path / weights).write_bytes(b"\x10" + b"\0" * 7 + b"not a model at all")
    with pytest.raises(errors.ProviderError):
        LocalEmbedder(tmp_path, cache=tmp_path).embed(["x"])


def test_a_damaged_tokenizer_is_a_provider_error(tmp_path: Path) -> None:
    shutil.copy(packaged_model().weights, tmp_path)
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(errors.ProviderError, match="tokenizer"):
        LocalEmbedder(tmp_path, cache=tmp_path / "cache").embed(["x"])


def test_packaged_files_must_be_genuine(tmp_path: Path) -> None:
    shutil.copy(packaged_model().tokenizer, tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"other weights")
    with pytest.raises(errors.ProviderError, match="not the genuine"):
        ModelFolder(tmp_path, pinned=True).verify()


def test_a_model_with_another_pooling_is_refused(tmp_path: Path) -> None:
    for name in ("model.safetensors", "tokenizer.json"):
        (tmp_path / name).touch()
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text('{"pooling_mode_mean_tokens": false}')
    with pytest.raises(errors.ProviderError, match="pool by mean"):
        ModelFolder(tmp_path).verify()


@pytest.mark.parametrize("arguments", [{"threads": 0}, {"batch_size": 0}])
def test_counts_below_one_are_refused(arguments: dict[str, int]) -> None:
    with pytest.raises(errors.InvalidInputError):
        LocalEmbedder(**arguments)


def test_a_missing_library_is_named_with_its_extra() -> None:
    with pytest.raises(errors.ProviderError, match=r"holdfast\[local\]"):
        require("local", "no_such_library")
