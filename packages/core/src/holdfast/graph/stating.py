"""Relations by hand: triples -> facts that state them -> the pipeline's own commit. No model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime, timezone
from typing import Any, TypeAlias

from holdfast.errors import InvalidInputError
from holdfast.graph import reading
from holdfast.graph.values import Triple
from holdfast.ingestion import check_importance, index
from holdfast.language.names import bare
from holdfast.language.wording import clean, fingerprint
from holdfast.messages import check_text
from holdfast.pipeline.deliberation import Deliberation, wider
from holdfast.pipeline.facts import Fact
from holdfast.pipeline.relations import Relation, canonical, canonical_subject, holds_one_value
from holdfast.pipeline.transcript import MAX_NAME
from holdfast.providers.base import Embedder
from holdfast.runtime import Runtime
from holdfast.storage.derivation import Approach, Material, Nearby, Outcome, Step
from holdfast.storage.embedded import EmbeddedStorage
from holdfast.storage.graphs import OTHER, SAME
from holdfast.storage.namespaces import Region
from holdfast.types import Change, Changes, Scope, check_time, utc_now

Given: TypeAlias = Triple | tuple[str, str, str] | Mapping[str, Any]
"""A triple: as a `Triple`, as its three names, or as a mapping with the fields of a `Triple`."""

BATCH = 256
"""Facts embedded at once."""

_FIELDS = frozenset(field.name for field in fields(Triple))


# -- what is given ------------------------------------------------------------------------------


def read(given: Sequence[Given], redact: Callable[[str], str] | None = None) -> list[Triple]:
    """Return checked triples, their labels canonical, all their words redacted.

    Raises:
        InvalidInputError: One cannot be stored; none of them was.
    """
    if isinstance(given, str | Mapping | Triple):
        raise InvalidInputError("add_relations takes a list of relations")
    triples = [_triple(one) for one in given]
    if redact is not None:
        triples = [_redacted(triple, redact) for triple in triples]
    return [_checked(triple) for triple in triples]


def _redacted(triple: Triple, redact: Callable[[str], str]) -> Triple:
    subject, relation, object_, text = (
        redact(said) if isinstance(said, str) and said else said
        for said in (triple.subject, triple.relation, triple.object, triple.text)
    )
    return replace(triple, subject=subject, relation=relation, object=object_, text=text)


def _triple(given: object) -> Triple:
    if isinstance(given, Triple):
        return given
    if isinstance(given, Mapping):
        unknown = set(given) - _FIELDS
        missing = {"subject", "relation", "object"} - set(given)
        if unknown or missing:
            wrong = ", ".join(sorted(map(str, unknown | missing)))
            raise InvalidInputError(f"a relation has subject, relation, object; not so: {wrong}")
        return Triple(**given)
    if isinstance(given, tuple | list) and len(given) == 3:
        return Triple(*given)
    raise InvalidInputError(f"a relation is (subject, relation, object), not {given!r:.80}")


def _checked(triple: Triple) -> Triple:
    label = canonical(_name("relation", triple.relation))
    if not label:
        raise InvalidInputError(f"{triple.relation!r} is no name of a relation")
    if isinstance(triple.sources, str):
        raise InvalidInputError("sources must be a list of ids")
    begins = triple.valid_from
    return replace(
        triple,
        subject=canonical_subject(_name("subject", triple.subject), None),
        relation=label,
        object=_name("object", triple.object),
        text=check_text(triple.text or _sentence(triple, label)),
        valid_from=None if begins is None else check_time("valid_from", begins),
        confidence=check_importance(triple.confidence),
        sources=tuple(triple.sources),
    )


def _name(field: str, value: object) -> str:
    if not isinstance(value, str) or not bare(value):
        raise InvalidInputError(f"the {field} of a relation must be a name, not {value!r:.80}")
    if len(value) > MAX_NAME * 3:
        raise InvalidInputError(f"{value!r:.40}... is too long for the {field} of a relation")
    check_text(value)
    return clean(value)


def _sentence(triple: Triple, label: str) -> str:
    return f"{clean(triple.subject)} {label.replace('_', ' ')} {clean(triple.object)}"


# -- writing ------------------------------------------------------------------------------------


async def add(
    runtime: Runtime,
    storage: EmbeddedStorage,
    embedder: Embedder,
    scope: Scope,
    triples: Sequence[Triple],
) -> Changes:
    """Write the facts of triples in one transaction; each supersedes what it replaces."""
    if not triples:
        return Changes()
    await runtime.store(storage.file.check_embedder, embedder.fingerprint)
    said, places = await _sources(runtime, storage, scope, triples)
    facts = [_fact(triple, place, said) for triple, place in zip(triples, places, strict=True)]
    texts = [(fact.text, fact.about) for fact in facts]
    found = []
    for start in range(0, len(texts), BATCH):
        found += await index(runtime, embedder, "fact", texts[start : start + BATCH])
    derivation, maker = storage.derivation, embedder.fingerprint
    await runtime.store(derivation.prepare, maker, found[0].vectors.shape[1])
    outcome = Deliberation(said, facts, found, stated=True).outcome()
    changes = await runtime.store(derivation.commit, outcome, maker)
    return Changes(tuple(changes or ()))


async def _sources(
    runtime: Runtime, storage: EmbeddedStorage, scope: Scope, triples: Sequence[Triple]
) -> tuple[Material, list[tuple[int, ...]]]:
    """Return the records that triples rest on, and for each triple which of them, by position."""
    keys = list(dict.fromkeys(key for triple in triples for key in triple.sources))
    turns = await runtime.store(storage.derivation.cited, wider(scope), keys) if keys else {}
    place = {record.id: number for number, record in enumerate(turns.values())}
    places = [tuple(sorted(place[key] for key in triple.sources)) for triple in triples]
    return Material(scope, turns, (), None), places


def _fact(triple: Triple, places: tuple[int, ...], material: Material) -> Fact:
    turns = list(material.turns.values())
    said_at = max((turns[place].occurred_at for place in places), default=utc_now())
    told = triple.single_valued
    single = holds_one_value(triple.relation, False, triple.text) if told is None else told
    relation = Relation(
        triple.subject,
        triple.relation,
        triple.object,
        single,
        clean(triple.subject_type).casefold(),
        clean(triple.object_type).casefold(),
    )
    return Fact(
        text=triple.text,
        about=triple.subject,
        turns=places,
        said_at=said_at,
        holds_from=triple.valid_from or said_at,
        event_time=triple.valid_from,
        importance=triple.confidence,
        relations=(relation,),
    )


# -- which names are one ------------------------------------------------------------------------


async def merge(
    runtime: Runtime, storage: EmbeddedStorage, embedder: Embedder, scope: Scope, a: str, b: str
) -> Changes:
    """State that two names are one, and end what said they are not."""
    return await _declare(runtime, storage, embedder, scope, (a, SAME, b), ends=OTHER)


async def split(
    runtime: Runtime, storage: EmbeddedStorage, embedder: Embedder, scope: Scope, a: str, b: str
) -> Changes:
    """State that two names are two, and end what said they are one."""
    return await _declare(runtime, storage, embedder, scope, (a, OTHER, b), ends=SAME)


async def _declare(
    runtime: Runtime,
    storage: EmbeddedStorage,
    embedder: Embedder,
    scope: Scope,
    said: tuple[str, str, str],
    *,
    ends: str,
) -> Changes:
    a, label, b = said
    triple = _checked(Triple(a, label, b))
    if bare(a) == bare(b):
        raise InvalidInputError(f"{a!r} and {b!r} are one name already, and cannot be told apart")
    await runtime.store(storage.file.check_embedder, embedder.fingerprint)
    region = wider(scope)
    stated = await runtime.store(reading.statements, storage.file, region, a, b)
    ended = [one.text for one in stated if one.label == ends]
    if ended:
        gone = await runtime.store(_end, storage, scope, region, ended, ends, embedder.fingerprint)
    else:
        gone = ()
    if any(one.label == label for one in stated):
        return Changes(gone)
    added = await add(runtime, storage, embedder, scope, [triple])
    return Changes((*gone, *added.changes))


def _end(
    storage: EmbeddedStorage,
    scope: Scope,
    region: Region,
    texts: Sequence[str],
    label: str,
    maker: str,
) -> tuple[Change, ...]:
    """End the facts of these words that state this and nothing else, as they are by now."""
    now = datetime.now(timezone.utc)

    def decide(nearby: Nearby) -> list[Step]:
        targets = {known.row_id: known for found in nearby for known in found}
        return [
            Step("DELETE", target=row_id, closes_at=None, reason="caller")
            for row_id, known in targets.items()
            if (known.record.valid_to is None or known.record.valid_to > now)
            and [said["relation"] for said in known.relations] == [label]
        ]

    approaches = tuple(Approach(None, (), fingerprint(text)) for text in texts)
    outcome = Outcome(scope, region, approaches, decide, ())
    return tuple(storage.derivation.commit(outcome, maker) or ())
