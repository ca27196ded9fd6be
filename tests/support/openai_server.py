"""A loopback server that speaks the OpenAI protocol, with scripted answers and faults.

    with OpenAIServer() as server:
        server.script(called({"facts": []}), said("hello"), failed(429, retry_after=0))
        client = openai.OpenAI(base_url=server.url, api_key="any")

It knows ``/chat/completions`` and ``/responses`` (plain and streamed), ``/embeddings`` and
``/models``. A request takes the next reply scripted for its path; when there is none left,
`server.default`, which may also be a function of the request's body. One thread a connection,
so a hundred clients may wait at once. `server.requests` holds what was asked.
"""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import struct
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from holdfast.testing import HashEmbedder

CHAT, EMBEDDINGS, RESPONSES = "/chat/completions", "/embeddings", "/responses"
TOKENS = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


@dataclass(frozen=True)
class Reply:
    """One scripted reply.

    Attributes:
        text: What the model says.
        calls: Arguments of its tool calls (a string is sent as it is), each a call of the
            tool the request forces, or of its first one. Ignored if the request has no tools.
        finish_reason: By default ``stop`` or ``tool_calls``.
        status, headers, body: Send this instead of a model's answer.
        delay: Seconds before the answer.
        drop: Close the connection ``"before"`` the answer, or in the ``"middle"`` of it.
    """

    text: str | None = None
    calls: tuple[Mapping[str, Any] | str, ...] = ()
    finish_reason: str | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: object = None
    delay: float = 0.0
    drop: str | None = None


def said(text: str, **rest: Any) -> Reply:
    """The model says a text."""
    return Reply(text=text, **rest)


def called(*arguments: Mapping[str, Any] | str, **rest: Any) -> Reply:
    """The model calls the tool, once for each of `arguments`."""
    return Reply(calls=arguments, **rest)


def failed(
    status: int, message: str = "no", *, retry_after: float | None = None, **rest: Any
) -> Reply:
    """The server answers with an error."""
    headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
    body = {"error": {"message": message, "type": "test_error", "code": None, "param": None}}
    return Reply(status=status, headers=headers, body=body, **rest)


def dropped(when: str = "before") -> Reply:
    """The connection breaks, ``"before"`` or in the ``"middle"`` of an answer."""
    return Reply(text="lost", drop=when)


@dataclass(frozen=True)
class Request:
    """A request the server received; `path` without the ``/v1``, header names in lower case."""

    path: str
    body: dict[str, Any]
    headers: Mapping[str, str]


class OpenAIServer:
    """See the module's words. Use it in a ``with``, or as the fixture `openai_server`."""

    def __init__(self, dimension: int = 16) -> None:
        self.default: Reply | Callable[[dict[str, Any]], Reply] = said("ok")
        self.requests: list[Request] = []
        self.embedder = HashEmbedder(dimension)
        self.closing = threading.Event()
        self.connections: set[socket.socket] = set()
        self._scripts: dict[str, deque[Reply]] = defaultdict(deque)
        self._lock = threading.Lock()
        self._http = _Server(("127.0.0.1", 0), _Handler)
        self._http.owner = self
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    @property
    def url(self) -> str:
        """The base URL to give to a client."""
        return f"http://127.0.0.1:{self._http.server_port}/v1"

    def script(self, *replies: Reply, path: str = CHAT) -> None:
        """Append replies for a path."""
        with self._lock:
            self._scripts[path].extend(replies)

    def bodies(self, path: str = CHAT) -> list[dict[str, Any]]:
        """Return what was sent to a path, in order."""
        return [request.body for request in self.requests if request.path == path]

    def answer(self, request: Request) -> Reply:
        """Record a request and choose its reply."""
        with self._lock:
            self.requests.append(request)
            script = self._scripts[request.path]
            if script:
                return script.popleft()
        return self.default(request.body) if callable(self.default) else self.default

    def __enter__(self) -> OpenAIServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._http.shutdown()
        self._thread.join()
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._http.server_close()


class _Server(ThreadingHTTPServer):
    owner: OpenAIServer
    request_queue_size = 512
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing: clients break off in the middle of tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def setup(self) -> None:
        super().setup()
        self.owner.connections.add(self.connection)

    def finish(self) -> None:
        self.owner.connections.discard(self.connection)
        super().finish()

    @property
    def owner(self) -> OpenAIServer:
        return self.server.owner

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._send(200, {}, {"object": "list", "data": [{"id": "test", "object": "model"}]})

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        path = self.path.removeprefix("/v1").split("?")[0]
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(path, json.loads(raw), headers)
        reply = self.owner.answer(request)
        if reply.delay:
            self.owner.closing.wait(reply.delay)
        if reply.drop == "before":
            self.close_connection = True
        elif reply.status != 200 or reply.body is not None:
            self._send(reply.status, reply.headers, reply.body)
        elif path == EMBEDDINGS:
            self._send(200, {}, self._embeddings(request.body))
        elif path in (CHAT, RESPONSES):
            self._model(path, request.body, reply)
        else:
            self._send(404, {}, {"error": {"message": f"no {path}", "type": "not_found"}})

    def _model(self, path: str, body: dict[str, Any], reply: Reply) -> None:
        if body.get("stream"):
            events = _chat_events if path == CHAT else _response_events
            self._stream(events(body, reply), reply.drop == "middle")
            return
        make = _completion if path == CHAT else _response
        self._send(200, reply.headers, make(body, reply), cut=reply.drop == "middle")

    def _send(
        self, status: int, headers: Mapping[str, str], body: object, cut: bool = False
    ) -> None:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = "text/plain" if isinstance(body, bytes) else "application/json"
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": len(data), **headers}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if cut else data)
        self.close_connection = self.close_connection or cut

    def _stream(self, events: Iterator[str], cut: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in events:
            data = event.encode()
            self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
            self.wfile.flush()
            if cut:
                self.close_connection = True
                return
        self.wfile.write(b"0\r\n\r\n")

    def _embeddings(self, body: dict[str, Any]) -> dict[str, Any]:
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        embedder = self.owner.embedder
        if "dimensions" in body:
            embedder = HashEmbedder(body["dimensions"])
        vectors: list[Any] = embedder.embed([str(text) for text in texts])
        if body.get("encoding_format") == "base64":
            vectors = [
                base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
                for vector in vectors
            ]
        data = [
            {"object": "embedding", "index": index, "embedding": vector}
            for index, vector in enumerate(vectors)
        ]
        usage = {"prompt_tokens": 3, "total_tokens": 3}
        return {"object": "list", "data": data, "model": body["model"], "usage": usage}


def _tool_name(body: dict[str, Any]) -> str:
    choice = body.get("tool_choice")
    if isinstance(choice, dict):
        return str(choice.get("function", choice)["name"])
    tool = body["tools"][0]
    return str(tool.get("function", tool)["name"])


def _calls(body: dict[str, Any], reply: Reply) -> list[dict[str, Any]]:
    if not body.get("tools"):
        return []
    return [
        {
            "id": f"call_{index}",
            "type": "function",
            "function": {
                "name": _tool_name(body),
                "arguments": arguments if isinstance(arguments, str) else json.dumps(arguments),
            },
        }
        for index, arguments in enumerate(reply.calls)
    ]


def _message(body: dict[str, Any], reply: Reply) -> tuple[dict[str, Any], str]:
    calls = _calls(body, reply)
    message: dict[str, Any] = {"role": "assistant", "content": reply.text}
    if calls:
        message["tool_calls"] = calls
    elif reply.calls:
        # A model without tools: the first arguments are its text.
        first = reply.calls[0]
        message["content"] = first if isinstance(first, str) else json.dumps(first)
    return message, reply.finish_reason or ("tool_calls" if calls else "stop")


def _frame(body: dict[str, Any], kind: str, **rest: Any) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": body["model"], **rest}


def _completion(body: dict[str, Any], reply: Reply) -> dict[str, Any]:
    message, finish = _message(body, reply)
    choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": None}
    return _frame(body, "chat.completion", choices=[choice], usage=TOKENS)


def _event(value: Mapping[str, Any], name: str = "") -> str:
    return (f"event: {name}\n" if name else "") + f"data: {json.dumps(value)}\n\n"


def _chat_events(body: dict[str, Any], reply: Reply) -> Iterator[str]:
    message, finish = _message(body, reply)
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": word} for word in _words(message["content"])]
    deltas += [
        {"tool_calls": [{"index": index, **call}]}
        for index, call in enumerate(message.get("tool_calls", ()))
    ]
    for delta, reason in [*((delta, None) for delta in deltas), ({}, finish)]:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        yield _event(_frame(body, "chat.completion.chunk", choices=[choice]))
    if (body.get("stream_options") or {}).get("include_usage"):
        yield _event(_frame(body, "chat.completion.chunk", choices=[], usage=TOKENS))
    yield "data: [DONE]\n\n"


def _words(text: str | None) -> list[str]:
    return [word + " " for word in text.split(" ")[:-1]] + text.split(" ")[-1:] if text else []


def _response(body: dict[str, Any], reply: Reply) -> dict[str, Any]:
    message, _ = _message(body, reply)
    content = {"type": "output_text", "text": message["content"] or "", "annotations": []}
    output: list[dict[str, Any]] = [
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "content": [content],
        }
    ]
    if "tool_calls" in message:
        output = [
            {
                "type": "function_call",
                "id": f"fc_{call['id']}",
                "call_id": call["id"],
                "status": "completed",
                **call["function"],
            }
            for call in message["tool_calls"]
        ]
    usage = {"input_tokens": 11, "output_tokens": 7, "total_tokens": 18}
    details = {"input_tokens_details": {"cached_tokens": 0}}
    details["output_tokens_details"] = {"reasoning_tokens": 0}
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": body["model"],
        "output": output,
        "usage": {**usage, **details},
        "parallel_tool_calls": True,
        "tool_choice": body.get("tool_choice", "auto"),
        "tools": body.get("tools", []),
    }


def _response_events(body: dict[str, Any], reply: Reply) -> Iterator[str]:
    whole = _response(body, reply)
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    events: list[tuple[str, dict[str, Any]]] = [("response.created", {"response": begun})]
    for place, item in enumerate(whole["output"]):
        at = {"output_index": place, "item_id": item["id"]}
        events.append(("response.output_item.added", {**at, "item": {**item, "content": []}}))
        if item["type"] == "message":
            part = {**at, "content_index": 0}
            text = item["content"][0]
            events.append(("response.content_part.added", {**part, "part": {**text, "text": ""}}))
            events += [
                ("response.output_text.delta", {**part, "delta": word, "logprobs": []})
                for word in _words(text["text"])
            ]
            done = {**part, "text": text["text"], "logprobs": []}
            events.append(("response.output_text.done", done))
            events.append(("response.content_part.done", {**part, "part": text}))
        events.append(("response.output_item.done", {**at, "item": item}))
    events.append(("response.completed", {"response": whole}))
    for number, (name, value) in enumerate(events):
        yield _event({"type": name, "sequence_number": number, **value}, name)
