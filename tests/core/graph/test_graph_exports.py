"""A graph as networkx, GraphML and a page: whole, offline, and nothing stored runs."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import networkx
import pytest
from holdfast import InvalidInputError, Memory
from holdfast.graph import Graph, Triple
from holdfast.testing import HashEmbedder
from support.cli import Terminal

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    with Memory(tmp_path / "memory.db", embedder=HashEmbedder()) as opened:
        opened.add_relations(
            [
                Triple("Rita", "lives_in", "Lyon", subject_type="person", object_type="city"),
                Triple("Rita", "lives_in", "Oslo", subject_type="person", object_type="city"),
                Triple("Paul", "likes", HOSTILE, object_type="<b>"),
                Triple("Paul", "sings", "@SCRIPT@ & co", text="\x08 @DATA@ <!-- "),
            ],
            user_id="ann",
        )
        yield opened


def embedded(page: str) -> Any:
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    return json.loads(data)


def test_networkx_has_what_holds(graph: Graph) -> None:
    made = graph.to_networkx()

    assert made.number_of_edges() == 3
    assert made.nodes["Oslo"]["type"] == "city"
    ((_, target, told),) = made.out_edges("Rita", data=True)
    assert (target, told["label"], told["text"]) == ("Oslo", "lives_in", "Rita lives in Oslo")


def test_graphml_can_be_read_back(graph: Graph, tmp_path: Path) -> None:
    graph.to_graphml(tmp_path / "out.graphml")
    read = networkx.read_graphml(tmp_path / "out.graphml")

    assert HOSTILE in read
    assert read.number_of_edges() == 3


def test_two_of_one_name_are_two_nodes(memory: Memory) -> None:
    for user in ("ann", "eve"):
        memory.add_relations([("Bob", "likes", "tea")], user_id=user, agent_id="helper")
    assert {"Bob", "Bob (2)"} <= set(memory.graph(agent_id="helper").to_networkx())


def test_the_page_holds_the_whole_graph_with_what_is_over(graph: Graph, tmp_path: Path) -> None:
    graph.to_html(tmp_path / "out.html")
    data = embedded((tmp_path / "out.html").read_text(encoding="utf-8"))

    assert data["total"] == len(data["edges"]) == 4
    assert {node["name"] for node in data["nodes"]} >= {"Rita", "Lyon", "Oslo", HOSTILE}
    assert sum(edge["to"] is not None for edge in data["edges"]) == 1


def test_no_stored_word_becomes_markup(graph: Graph, tmp_path: Path) -> None:
    graph.to_html(tmp_path / "out.html")
    page = (tmp_path / "out.html").read_text(encoding="utf-8")

    assert page.count("<script") == page.count("</script") == 3
    assert "alert(1)</script" not in page
    assert "<img" not in page
    assert re.search(r"script-src 'sha256-[^']+' 'sha256-[^']+'\"", page)


def test_the_page_fetches_nothing(graph: Graph, tmp_path: Path) -> None:
    graph.to_html(tmp_path / "out.html")
    page = (tmp_path / "out.html").read_text(encoding="utf-8")

    assert "default-src 'none'" in page
    assert not re.search(
        r"<(link|iframe|object|embed)\b|\bsrc=|@import|url\(", page.split("<script")[0]
    )
    assert "Permission is hereby granted" in page  # the library keeps its licence


def test_the_page_draws_the_newest_where_there_are_too_many(graph: Graph, tmp_path: Path) -> None:
    graph.to_html(tmp_path / "out.html", limit=1)
    data = embedded((tmp_path / "out.html").read_text(encoding="utf-8"))
    assert (len(data["edges"]), data["total"]) == (1, 4)


def test_an_empty_graph_is_a_page_as_well(memory: Memory, tmp_path: Path) -> None:
    memory.graph(user_id="nobody").to_html(tmp_path / "out.html")
    data = embedded((tmp_path / "out.html").read_text(encoding="utf-8"))
    assert (data["nodes"], data["edges"]) == ([], [])


def test_the_async_exports_write_the_same(graph: Graph, tmp_path: Path) -> None:
    async def flow() -> int:
        await graph.ato_html(tmp_path / "b.html")
        await graph.ato_graphml(tmp_path / "b.graphml")
        found: int = (await graph.ato_networkx()).number_of_edges()
        return found

    assert asyncio.run(flow()) == 3
    graph.to_html(tmp_path / "a.html")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    assert (tmp_path / "b.graphml").is_file()


def test_a_limit_must_be_a_number(graph: Graph, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="limit"):
        graph.to_html(tmp_path / "out.html", limit=0)


def test_the_command_writes_both(memory: Memory, tmp_path: Path) -> None:
    terminal = Terminal(tmp_path)
    html, graphml = tmp_path / "g.html", tmp_path / "g.graphml"
    ran = terminal.run("graph", "--user-id", "ann", "--html", str(html), "--graphml", str(graphml))

    assert ran.code == 0, ran.err
    assert html.is_file()
    assert graphml.is_file()
    assert terminal.run("graph", "--user-id", "ann").code == 2
    assert terminal.run("graph", "--html", str(html)).code == 2
