import pytest
from holdfast.context.tokens import counter, estimate
from holdfast.errors import InvalidInputError


def test_no_model_means_the_estimate() -> None:
    assert counter() is estimate


@pytest.mark.parametrize("model", ["gpt-99-quantum", "mistral/unheard-of", "", "\x00"])
def test_an_unknown_model_means_the_estimate(model: str) -> None:
    assert counter(model) is estimate


def test_a_known_model_whose_file_is_not_cached_means_the_estimate(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    assert counter("gpt-4o") is estimate


def test_a_cached_file_that_is_torn_means_the_estimate_and_stays(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torn = tmp_path / "fb374d419588a4632f3f557e76b4b70aebbca790"
    torn.write_bytes(b"IQ== 0\n")
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    assert counter("openai/gpt-4o") is estimate
    assert torn.exists()


def test_a_cache_that_is_switched_off_means_the_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "")
    assert counter("gpt-4o") is estimate


def test_the_callers_own_function_is_used() -> None:
    assert counter(len) is len


def test_what_is_neither_a_name_nor_a_function_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="model must be"):
        counter(4)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "cl100k", "o200k"),
    [
        ("I went to the lake with my sister on Saturday, and we swam until it got dark.", 20, 20),
        ("def add(self, key: str) -> int:\n    return self._items[key] + 1\n", 22, 22),
        ("我上周去了北京的一家新餐厅，味道非常好，价格也不贵。", 29, 21),
        ("昨日は友達と一緒に新しいレストランに行きました。とても美味しかったです。", 35, 26),
        ("Вчера я ходил с друзьями в новый ресторан, еда была очень вкусной.", 32, 19),
        ("ذهبت أمس مع أصدقائي إلى مطعم جديد وكان الطعام لذيذا جدا.", 41, 18),
        ("id 3f2504e0-4f89-11d3-9a0c-0305e82c3301", 29, 29),
    ],
)
def test_the_estimate_is_at_most_a_tenth_low_and_never_absurd(
    text: str, cl100k: int, o200k: int
) -> None:
    assert 0.9 * max(cl100k, o200k) <= estimate(text) <= 1.7 * cl100k


@pytest.mark.skipif(counter("gpt-4o") is estimate, reason="no encoding in tiktoken's cache")
def test_a_known_model_is_counted_by_its_own_tokenizer() -> None:
    assert counter("gpt-4o")("hello " * 1_000) == 1_001


def test_the_estimate_of_nothing_is_nothing() -> None:
    assert estimate("") == 0


@pytest.mark.parametrize("text", ["\ud800", "\x00", "x" * 100_000, " " * 100_000, "🏴" * 9])
def test_the_estimate_takes_any_text(text: str) -> None:
    assert estimate(text) > 0


def test_estimates_of_parts_add_up_to_at_least_the_whole() -> None:
    rows = ["Ann: “Fine, thanks!”", "2023-05-08", "你好 — 42 km", "    return x\n\n"]
    assert sum(map(estimate, rows)) >= estimate("".join(rows))
