"""Relations by hand: triples -> facts that state them -> the pipeline's own commit. No model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeAlias

from holdfast.checks import check_time
from holdfast.errors import InvalidInputError, shown
from holdfast.graph.values import Triple
from holdfast.ingestion.conductor import check_importance
from holdfast.ingestion.messages import check_text
from holdfast.language.names import bare
from holdfast.language.wording import clean, fingerprint
from holdfast.pipeline import resolving
from holdfast.pipeline.deliberation import Deliberation, Resolved
from holdfast.pipeline.facts import Fact
from holdfast.pipeline.relations import Relation, canonical, canonical_subject, holds_one_value
from holdfast.pipeline.transcript import MAX_NAME
from holdfast.providers.base import Embedder
from holdfast.runtime import Runtime
from holdfast.storage.contract.graph import OTHER, SAME
from holdfast.storage.contract.pipeline import (
    CommitPlan,
    Material,
    NeighbourQuery,
    Neighbours,
    Write,
)
from holdfast.storage.contract.reach import Reach
from holdfast.storage.contract.storage import Storage
from holdfast.types import Changes, Scope, check_id, utc_now

Given: TypeAlias = Triple | tuple[str, str, str] | Mapping[str, Any]
"""A triple: as a `Triple`, as its three names, or as a mapping with the fields of a `Triple`."""

_FIELDS = frozenset(field.name for field in fields(Triple))


# -- what is given ------------------------------------------------------------------------------


def read(given: Sequence[Given], redact: Callable[[str], str] | None = None) -> list[Triple]:
    """Return checked triples, their labels canonical, all their words redacted.

    Raises:
        InvalidInputError: One cannot be stored; none of them was.
    """
    if not isinstance(given, Sequence) or isinstance(given, str | bytes):
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
    raise InvalidInputError(f"a relation is (subject, relation, object), not {shown(given)}")


def _checked(triple: Triple) -> Triple:
    label = canonical(_name("relation", triple.relation))
    if not label:
        raise InvalidInputError(f"{shown(triple.relation)} is no name of a relation")
    sources = triple.sources
    if not isinstance(sources, Sequence) or isinstance(sources, str | bytes):
        raise InvalidInputError(f"sources must be a list of ids, not {shown(sources)}")
    for name, kind in (("subject", triple.subject_type), ("object", triple.object_type)):
        if not isinstance(kind, str) or len(kind) > MAX_NAME * 3:
            raise InvalidInputError(f"the type of a {name} must be a short text, not {shown(kind)}")
    begins = triple.valid_from
    return replace(
        triple,
        subject=canonical_subject(_name("subject", triple.subject), None),
        relation=label,
        object=_name("object", triple.object),
        text=check_text(triple.text or _sentence(triple, label)),
        valid_from=None if begins is None else check_time("valid_from", begins),
        confidence=check_importance(triple.confidence),
        sources=tuple(check_id("source", source) for source in sources),
    )


def _name(field: str, value: object) -> str:
    if isinstance(value, str) and len(value) > MAX_NAME * 3:
        raise InvalidInputError(f"{shown(value)} is too long for the {field} of a relation")
    if not isinstance(value, str) or not bare(value):
        raise InvalidInputError(f"the {field} of a relation must be a name, not {shown(value)}")
    check_text(value)
    return clean(value)


def _sentence(triple: Triple, label: str) -> str:
    return f"{clean(triple.subject)} {label.replace('_', ' ')} {clean(triple.object)}"


# -- writing ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stating:
    """What every statement needs; with `resolve`, names are compared with those known."""

    runtime: Runtime
    storage: Storage
    embedder: Embedder
    resolve: bool = False


async def add(by: Stating, scope: Scope, triples: Sequence[Triple]) -> Changes:
    """Write the facts of triples in one transaction; each supersedes what it replaces."""
    if not triples:
        return Changes()
    read, write, derivation = by.runtime.read, by.runtime.write, by.storage.pipeline
    await read(by.storage.check_embedder, by.embedder.fingerprint)
    said, places = await _sources(by.runtime, by.storage, scope, triples)
    facts = [_fact(triple, place, said) for triple, place in zip(triples, places, strict=True)]
    resolved = await _resolved(by, scope, facts)
    outcome = Deliberation(said, resolved, stated=True).outcome()
    changes = await write(derivation.commit, outcome, by.embedder.fingerprint)
    return Changes(tuple(changes or ()))


async def _resolved(by: Stating, scope: Scope, facts: Sequence[Fact]) -> Resolved:
    if by.resolve:
        return await resolving.resolve(by.runtime, by.storage, by.embedder, scope, facts)
    return await resolving.plain(by.runtime, by.embedder, facts)


async def _sources(
    runtime: Runtime, storage: Storage, scope: Scope, triples: Sequence[Triple]
) -> tuple[Material, list[tuple[int, ...]]]:
    """Return the records that triples rest on, and for each triple which of them, by position."""
    keys = list(dict.fromkeys(key for triple in triples for key in triple.sources))
    reach = Reach.of_neighbours(scope)
    turns = await runtime.read(storage.pipeline.cited, reach, keys) if keys else {}
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


async def merge(by: Stating, scope: Scope, a: str, b: str) -> Changes:
    """State that two names are one, and end what said they are not."""
    return await _declare(by, scope, (a, SAME, b), ends=OTHER)


async def split(by: Stating, scope: Scope, a: str, b: str) -> Changes:
    """State that two names are two, and end what said they are one."""
    return await _declare(by, scope, (a, OTHER, b), ends=SAME)


async def _declare(by: Stating, scope: Scope, said: tuple[str, str, str], *, ends: str) -> Changes:
    """State one thing of two names and end its opposite, in one transaction."""
    a, label, b = said
    triple = _checked(Triple(a, label, b))
    if bare(a) == bare(b):
        raise InvalidInputError(
            f"{shown(a)} and {shown(b)} are one name already, and cannot be told apart"
        )
    read, write = by.runtime.read, by.runtime.write
    storage, maker = by.storage, by.embedder.fingerprint
    await read(storage.check_embedder, maker)
    reach = Reach.of_neighbours(scope)
    stated = await read(storage.graph.statements, reach, a, b)
    opposite = [one.text for one in stated if one.label == ends]
    opposite += [_sentence(Triple(*names), ends) for names in ((a, ends, b), (b, ends, a))]
    new = () if any(one.label == label for one in stated) else (triple,)
    material = Material(scope, {}, (), None)
    facts = [_fact(one, (), material) for one in new]
    resolved = await resolving.plain(by.runtime, by.embedder, facts)
    outcome = _ending(Deliberation(material, resolved, stated=True).outcome(), opposite, ends)
    changes = await write(storage.pipeline.commit, outcome, maker)
    return Changes(tuple(changes or ()))


def _ending(outcome: CommitPlan, texts: Sequence[str], label: str) -> CommitPlan:
    """Return a commit that first ends the facts of these words which state this and no more."""
    now = utc_now()
    looked = tuple(NeighbourQuery(None, (), fingerprint(text)) for text in dict.fromkeys(texts))

    def decide(nearby: Neighbours) -> list[Write]:
        targets = {known.row_id: known for found in nearby[: len(looked)] for known in found}
        ended = [
            Write("DELETE", target=row_id, reason="caller")
            for row_id, known in targets.items()
            if (known.record.valid_to is None or known.record.valid_to > now)
            and [said["relation"] for said in known.relations] == [label]
        ]
        return [*ended, *(outcome.decide(nearby[len(looked) :]) or ())]

    return replace(outcome, approaches=(*looked, *outcome.approaches), decide=decide)
