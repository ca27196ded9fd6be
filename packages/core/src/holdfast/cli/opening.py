"""Opening the file a command works on."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from holdfast import Embedder, StorageError
from holdfast.providers import default_embedder
from holdfast.providers.base import Vector

if TYPE_CHECKING:
    from holdfast import Memory


class OnDemand(Embedder):
    """The local embedder, looked for when a text first needs it: half the commands need none."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    @cached_property
    def _real(self) -> Embedder:
        if self._folder is None:
            return default_embedder()
        # Here, because most commands get by without looking for a model.
        from holdfast.providers.local import LocalEmbedder

        return LocalEmbedder(self._folder)

    @property
    def fingerprint(self) -> str:
        """The real embedder's."""
        return self._real.fingerprint

    def embed(self, texts: Sequence[str]) -> Sequence[Vector]:
        """Embed with the real embedder."""
        return self._real.embed(texts)


def create(db: Path, key: bool, model: Path | None = None) -> Memory:
    """Open a file to write to; it is made when missing."""
    return _open(db, model, _passphrase(key, new=not db.exists()))


def existing(db: Path, key: bool, model: Path | None = None) -> Memory:
    """Open a file to read; one that is missing is an error rather than an empty answer."""
    if not db.exists():
        raise StorageError(
            f"there is no file {db}; `holdfast add` makes one, --db or HOLDFAST_DB names another"
        )
    return _open(db, model, _passphrase(key, new=False))


def _open(db: Path, model: Path | None, key: str | None) -> Memory:
    # Here, because it takes half a second to load, and help and usage errors need none of it.
    from holdfast import Memory

    return Memory(db, embedder=OnDemand(model), key=key)


def _passphrase(asked: bool, *, new: bool) -> str | None:
    """Return HOLDFAST_KEY, or ask. Never an option: command lines end up in histories."""
    known = os.environ.get("HOLDFAST_KEY")
    if known or not asked:
        return known or None
    prompt: str = typer.prompt("Passphrase", hide_input=True, confirmation_prompt=new, err=True)
    return prompt
