"""`benchmarks/locomo.py` from end to end: a small made conversation, a model on loopback."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.flows import decision, decisions, fact, facts, new_messages
from support.openai_server import OpenAIServer, Reply, called, failed, said

CONVERSATION = {
    "sample_id": "made-1",
    "conversation": {
        "speaker_a": "Ann",
        "speaker_b": "Bo",
        "session_1_date_time": "1:56 pm on 8 May, 2023",
        "session_1": [
            {"speaker": "Ann", "dia_id": "D1:1", "text": "I moved to Lyon with my cat Pip."},
            {"speaker": "Bo", "dia_id": "D1:2", "text": "How lovely! I repair clocks now."},
        ],
        "session_2_date_time": "9:00 am on 1 June, 2023",
        "session_2": [
            {"speaker": "Ann", "dia_id": "D2:1", "text": "I started to bake bread yesterday."}
        ],
    },
    "qa": [
        {"question": "Where did Ann move?", "answer": "Lyon", "evidence": ["D1:1"], "category": 4},
        {
            "question": "When did Ann start to bake?",
            "answer": "30 May 2023",
            "evidence": ["D2:1"],
            "category": 2,
        },
        {
            "question": "What does Ann paint?",
            "adversarial_answer": "cats",
            "evidence": ["D1:1"],
            "category": 5,
        },
    ],
}
WAYS = ["holdfast", "rag", "last", "full"]


def replies(body: dict[str, Any]) -> Reply:
    """Extract every message, add every fact, answer one question well, judge by the key."""
    asked = body["messages"][1]["content"]
    if "<new_messages>" in asked:
        return called(facts(*(fact(text, number) for number, text in new_messages(asked))))
    if "<new_facts>" in asked:
        names = [line.split(" ")[0] for line in asked.splitlines() if line.startswith("F")]
        return called(decisions(*(decision("ADD", of=name) for name in names)))
    if body.get("tools"):
        key = asked.split("Key: ")[1].split("\n")[0]
        return called({"reason": "compared", "correct": f"Answer: {key}" in asked})
    return said("Lyon" if "move?" in asked else "Not mentioned")


@pytest.fixture
def measured(
    tmp_path: Path, openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """Run the benchmark with further arguments; return its figures."""
    import locomo

    openai_server.default = replies
    data = tmp_path / "made.json"
    data.write_text(json.dumps([CONVERSATION]))

    def run(*arguments: object) -> Any:
        figures = tmp_path / "figures.json"
        figures.unlink(missing_ok=True)
        command = [data, "--embedder", "hash", "--json", figures, *arguments]
        monkeypatch.setattr(sys, "argv", ["locomo.py", *map(str, command)])
        locomo.main()
        return json.loads(figures.read_text()) if figures.exists() else None

    return run


def remote(server: OpenAIServer) -> tuple[str, ...]:
    return ("--model", "test", "--base-url", server.url)


def test_without_a_model_evidence_tokens_and_latency_are_reported(
    measured: Callable[..., Any], openai_server: OpenAIServer, capsys: pytest.CaptureFixture[str]
) -> None:
    found = measured("--tokens", 300)
    assert list(found) == WAYS
    assert found["full"]["overall"] == {"questions": 2, "recall": 1.0}
    assert found["holdfast"]["overall"]["recall"] == 1.0
    assert found["holdfast"]["tokens"] <= 300
    assert found["holdfast"]["search ms"]["p95"] > 0
    assert "| full | 5: never said | 1 |" in capsys.readouterr().out
    assert openai_server.requests == []


def test_an_estimate_comes_first_and_asks_nobody(
    measured: Callable[..., Any], openai_server: OpenAIServer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert measured(*remote(openai_server), "--price", 1, 4) is None
    told = capsys.readouterr().out
    assert "estimate: about 28 calls" in told
    assert "add --yes" in told
    assert openai_server.requests == []


def test_answers_are_judged_by_category_resumed_recorded_and_replayed(
    measured: Callable[..., Any], openai_server: OpenAIServer, tmp_path: Path
) -> None:
    record, folder = tmp_path / "traffic.jsonl", tmp_path / "run"
    live = (*remote(openai_server), "--yes", "--record", record, "--folder", folder)
    found = measured(*live)
    scores = found["holdfast"]
    assert scores["overall"] == {
        "questions": 2,
        "f1": 0.5,
        "bleu1": 0.5,
        "judge": 0.5,
        "recall": 1.0,
    }
    assert scores["by category"]["single-hop"]["judge"] == 1.0
    assert scores["by category"]["adversarial"]["f1"] == 1.0
    assert scores["model"]["calls"] == 6
    assert scores["total s"]["p50"] > 0
    asked = len(openai_server.requests)
    assert measured(*live) == found
    assert len(openai_server.requests) == asked
    again = measured("--replay", record)
    assert {way: one["overall"] for way, one in again.items()} == {
        way: one["overall"] for way, one in found.items()
    }
    assert len(openai_server.requests) == asked


def test_answers_that_failed_are_asked_for_again(
    measured: Callable[..., Any], openai_server: OpenAIServer, tmp_path: Path
) -> None:
    live = (*remote(openai_server), "--yes", "--turns-only", "--folder", tmp_path / "run")
    broken = failed(401)
    openai_server.default = lambda body: (
        broken if "bake?" in body["messages"][1]["content"] else replies(body)
    )
    assert measured(*live)["full"]["overall"]["questions"] == 1
    openai_server.default = replies
    assert measured(*live)["full"]["overall"]["questions"] == 2


def test_corrected_answers_count(
    measured: Callable[..., Any], openai_server: OpenAIServer, tmp_path: Path
) -> None:
    keys = tmp_path / "keys.json"
    moved = {"conversation": "made-1", "question": "Where did Ann move?", "answer": "Nice"}
    baked = {"conversation": "made-1", "question": "When did Ann start to bake?", "answer": None}
    keys.write_text(json.dumps([moved, baked]))
    found = measured(*remote(openai_server), "--yes", "--turns-only", "--keys", keys)
    assert found["full"]["overall"]["questions"] == 1
    assert found["full"]["overall"]["judge"] == 0.0
