import asyncio
import copy
import logging
from collections.abc import Iterator

import openai
import pytest
from holdfast.errors import InvalidInputError, ScopeError
from holdfast.openai import wrap
from pydantic import BaseModel
from support.injections import INJECTIONS, leaks
from support.notebook import Notebook
from support.openai_server import RESPONSES, OpenAIServer, called, dropped, failed, said

ASK = {"role": "user", "content": "Which tea does my sister like?"}
BREWED = "Sister? She likes green tea."
STORED = [("user", ASK["content"]), ("assistant", BREWED)]


@pytest.fixture
def client(openai_server: OpenAIServer) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=openai_server.url, api_key="any", max_retries=0) as client:
        yield client


def asking(wrapped: openai.OpenAI, *messages: dict, **options: object) -> object:
    return wrapped.chat.completions.create(
        model="test", messages=list(messages or [ASK]), **options
    )


def test_a_second_session_knows_what_the_first_said(
    client: openai.OpenAI, openai_server: OpenAIServer
) -> None:
    notebook = Notebook()
    openai_server.script(said("Nice to hear."), said("Green."))
    first = wrap(client, notebook, user_id="ann", run_id="monday")
    asking(first, {"role": "user", "content": "My sister likes green tea."})
    second = wrap(client, notebook, user_id="ann", run_id="tuesday")
    assert asking(second).choices[0].message.content == "Green."
    system, question = openai_server.bodies()[-1]["messages"]
    assert system["role"] == "system"
    assert '"My sister likes green tea."' in system["content"]
    assert question == ASK


def test_the_wrapped_client_is_a_copy_of_the_same_class(client: openai.OpenAI) -> None:
    wrapped = wrap(client, Notebook(), user_id="ann")
    assert type(wrapped) is openai.OpenAI
    assert wrapped is not client
    assert type(client.chat.completions) is openai.resources.chat.Completions
    assert wrapped.base_url == client.base_url
    assert isinstance(wrapped.chat.completions, openai.resources.chat.Completions)
    assert isinstance(wrapped.responses, type(client.responses))


def test_the_clients_own_calls_remember_nothing(
    client: openai.OpenAI, openai_server: OpenAIServer
) -> None:
    notebook = Notebook()
    wrap(client, notebook, user_id="ann")
    asking(client)
    assert notebook.calls == []


def test_question_and_answer_are_remembered(
    client: openai.OpenAI, openai_server: OpenAIServer
) -> None:
    notebook = Notebook()
    openai_server.script(said(BREWED))
    asking(wrap(client, notebook, user_id="ann", app_id="teas"))
    assert notebook.said == STORED
    scope = {"user_id": "ann", "app_id": "teas"}
    assert notebook.calls == [
        ("context", scope),
        ("add", scope | {"wait": False, "infer": True}),
    ]


@pytest.mark.parametrize(
    ("ids", "recalled"),
    [
        ({"user_id": "ann", "run_id": "one"}, {"user_id": "ann"}),
        ({"agent_id": "bot", "app_id": "teas"}, {"agent_id": "bot", "app_id": "teas"}),
        ({"run_id": "one"}, {"run_id": "one"}),
    ],
)
def test_a_session_is_written_and_all_sessions_are_recalled(
    client: openai.OpenAI, ids: dict[str, str], recalled: dict[str, str]
) -> None:
    notebook = Notebook()
    asking(wrap(client, notebook, **ids))
    (read, reading), (wrote, writing) = notebook.calls
    assert (read, reading) == ("context", recalled)
    assert (wrote, writing) == ("add", ids | {"wait": False, "infer": True})


def test_the_callers_list_and_messages_are_untouched(client: openai.OpenAI) -> None:
    notebook = Notebook()
    wrapped = wrap(client, notebook, user_id="ann")
    asking(wrapped)
    messages = [ASK]
    before = copy.deepcopy(messages)
    wrapped.chat.completions.create(model="test", messages=messages)
    assert messages == before


def test_messages_may_come_from_an_iterator(
    client: openai.OpenAI, openai_server: OpenAIServer
) -> None:
    notebook = Notebook()
    wrap(client, notebook, user_id="ann").chat.completions.create(
        model="test", messages=iter([ASK])
    )
    assert openai_server.bodies()[0]["messages"] == [ASK]
    assert notebook.said[0] == ("user", ASK["content"])


def test_memory_stands_right_before_the_last_user_message(
    client: openai.OpenAI, openai_server: OpenAIServer
) -> None:
    wrapped = wrap(client, Notebook(), user_id="ann")
    asking(wrapped, {"role": "user", "content": "My sister likes green tea."})
    history = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hello!"},
    ]
    asking(wrapped, *history, ASK)
    sent = openai_server.bodies()[-1]["messages"]
    assert sent[:3] == history
    assert "green tea" in sent[3]["content"]
    assert sent[4] == ASK


def test_memory_can_stand_after_the_system_messages(
    client: openai.OpenAI, openai_server: OpenAIServer
) -> None:
    wrapped = wrap(client, Notebook(), user_id="ann", place="after_system")
    asking(wrapped, {"role": "user", "content": "My sister likes green tea."})
    developer = {"role": "developer", "content": "Be brief."}
    asking(wrapped, developer, {"role": "user", "content": "Hello"}, ASK)
    sent = openai_server.bodies()[-1]["messages"]
    assert sent[0] == developer
    assert sent[1]["role"] == "developer"
    assert "green tea" in sent[1]["content"]


def test_a_history_that_is_sent_again_is_not_remembered_again(
    client: openai.OpenAI, openai_server: OpenAIServer
) -> None:
    notebook = Notebook()
    wrapped = wrap(client, notebook, user_id="ann", run_id="one")
    openai_server.default = said("Yes.")
    messages = []
    for number in range(3):
        messages.append({"role": "user", "content": f"Question {number}"})
        answer = asking(wrapped, *messages).choices[0].message
        messages.append(answer)
    assert [text for _, text in notebook.said] == [
        "Question 0",
        "Yes.",
        "Question 1",
        "Yes.",
        "Question 2",
        "Yes.",
    ]


def test_a_call_that_is_sent_again_is_remembered_once(
    client: openai.OpenAI, openai_server: OpenAIServer
) -> None:
    notebook = Notebook()
    wrapped = wrap(client, notebook, user_id="ann")
    openai_server.default = said(BREWED)
    asking(wrapped)
    asking(wrapped)
    assert notebook.said == STORED


def test_a_tool_loop_is_one_turn(client: openai.OpenAI, openai_server: OpenAIServer) -> None:
    notebook = Notebook()
    wrapped = wrap(client, notebook, user_id="ann")
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}
    openai_server.script(called({}), said(BREWED))
    call = asking(wrapped, ASK, tools=[tool]).choices[0].message
    result = {"role": "tool", "tool_call_id": call.tool_calls[0].id, "content": "green"}
    asking(wrapped, ASK, call, result, tools=[tool])
    assert notebook.said == STORED


@pytest.mark.parametrize("verbs", [("context",), ("add",), ("context", "add")])
def test_memory_that_fails_is_logged_and_changes_nothing(
    client: openai.OpenAI,
    openai_server: OpenAIServer,
    caplog: pytest.LogCaptureFixture,
    verbs: tuple[str, ...],
) -> None:
    openai_server.script(said(BREWED))
    answer = asking(wrap(client, Notebook(*verbs), user_id="ann"))
    assert answer.choices[0].message.content == BREWED
    assert openai_server.bodies()[0]["messages"] == [ASK]
    assert [record.levelno for record in caplog.records if record.name.startswith("holdfast")] == [
        logging.ERROR
    ] * len(verbs)


def test_a_call_that_fails_raises_and_remembers_nothing(
    client: openai.OpenAI, openai_server: OpenAIServer
) -> None:
    notebook = Notebook()
    openai_server.script(failed(400))
    with pytest.raises(openai.BadRequestError):
        asking(wrap(client, notebook, user_id="ann"))
    assert notebook.said == []


def test_no_id_is_an_error_at_once(client: openai.OpenAI) -> None:
    with pytest.raises(ScopeError):
        wrap(client, Notebook())


def test_a_misspelt_id_is_an_error_at_once(client: openai.OpenAI) -> None:
    with pytest.raises(TypeError, match=r"'runid': the ids of a scope are user_id, agent_id"):
        wrap(client, Notebook(), user_id="ann", runid="r1")  # type: ignore[call-arg]


def test_a_bad_budget_is_an_error_at_once(client: openai.OpenAI) -> None:
    with pytest.raises(InvalidInputError):
        wrap(client, Notebook(), user_id="ann", max_tokens=-1)


def test_a_path_in_the_place_of_a_memory_is_an_error_at_once(client: openai.OpenAI) -> None:
    with pytest.raises(InvalidInputError, match=r"takes an open holdfast\.Memory, not 'str'"):
        wrap(client, "memory.db", user_id="ann")  # type: ignore[arg-type]


def test_an_unknown_place_is_an_error_at_once(client: openai.OpenAI) -> None:
    with pytest.raises(InvalidInputError, match="before_question or after_system, not 'last'"):
        wrap(client, Notebook(), user_id="ann", place="last")  # type: ignore[arg-type]


def test_options_keep_the_memory(client: openai.OpenAI, openai_server: OpenAIServer) -> None:
    notebook = Notebook()
    openai_server.script(said(BREWED))
    wrapped = wrap(client, notebook, user_id="ann").with_options(timeout=5).copy(max_retries=1)
    asking(wrapped)
    assert notebook.said == STORED
    assert wrapped.timeout == 5


def test_images_are_sent_as_they_are_and_their_words_remembered(
    client: openai.OpenAI, openai_server: OpenAIServer
) -> None:
    notebook = Notebook()
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    message = {"role": "user", "content": [{"type": "text", "text": "My sister's cup"}, picture]}
    asking(wrap(client, notebook, user_id="ann"), message)
    assert openai_server.bodies()[0]["messages"] == [message]
    assert notebook.said[0] == ("user", "My sister's cup")


def test_a_stream_is_remembered_when_it_is_complete(
    client: openai.OpenAI, openai_server: OpenAIServer
) -> None:
    notebook = Notebook()
    openai_server.script(said(BREWED))
    stream = asking(wrap(client, notebook, user_id="ann"), stream=True)
    assert isinstance(stream, openai.Stream)
    assert notebook.said == []
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == BREWED
    assert notebook.said == STORED


def test_a_stream_read_step_by_step_is_remembered(
    client: openai.OpenAI, openai_server: OpenAIServer
) -> None:
    notebook = Notebook()
    openai_server.script(said(BREWED))
    stream = asking(wrap(client, notebook, user_id="ann"), stream=True)
    while next(stream, None) is not None:
        pass
    assert notebook.said == STORED


def test_of_a_stream_closed_early_only_the_question_is_remembered(
    client: openai.OpenAI, openai_server: OpenAIServer
) -> None:
    notebook = Notebook()
    openai_server.script(said(BREWED))
    with asking(wrap(client, notebook, user_id="ann"), stream=True) as stream:
        next(stream)
        next(stream)
    assert notebook.said == STORED[:1]


def test_of_a_stream_left_in_the_middle_only_the_question_is_remembered(
    client: openai.OpenAI, openai_server: OpenAIServer
) -> None:
    notebook = Notebook()
    openai_server.script(said(BREWED))
    for _ in asking(wrap(client, notebook, user_id="ann"), stream=True):
        break
    assert notebook.said == STORED[:1]


def test_a_stream_that_breaks_raises_and_only_the_question_is_remembered(
    client: openai.OpenAI, openai_server: OpenAIServer
) -> None:
    notebook = Notebook()
    openai_server.script(dropped("middle"))
    stream = asking(wrap(client, notebook, user_id="ann"), stream=True)
    with pytest.raises(Exception, match=r"incomplete|Connection"):
        list(stream)
    assert notebook.said == STORED[:1]


def test_memory_that_fails_at_the_end_of_a_stream_does_not_break_it(
    client: openai.OpenAI, openai_server: OpenAIServer
) -> None:
    openai_server.script(said(BREWED))
    stream = asking(wrap(client, Notebook("add"), user_id="ann"), stream=True)
    assert len(list(stream)) > 3


def test_the_stream_helper_remembers(client: openai.OpenAI, openai_server: OpenAIServer) -> None:
    notebook = Notebook()
    openai_server.script(said(BREWED))
    wrapped = wrap(client, notebook, user_id="ann")
    with wrapped.chat.completions.stream(model="test", messages=[ASK]) as stream:
        assert stream.get_final_completion().choices[0].message.content == BREWED
    assert notebook.said == STORED


class Tea(BaseModel):
    kind: str


def test_a_parsed_answer_is_remembered(client: openai.OpenAI, openai_server: OpenAIServer) -> None:
    notebook = Notebook()
    openai_server.script(said('{"kind": "green"}'))
    wrapped = wrap(client, notebook, user_id="ann")
    answer = wrapped.chat.completions.parse(model="test", messages=[ASK], response_format=Tea)
    assert answer.choices[0].message.parsed == Tea(kind="green")
    assert notebook.said == [STORED[0], ("assistant", '{"kind": "green"}')]


def test_a_raw_response_is_remembered(client: openai.OpenAI, openai_server: OpenAIServer) -> None:
    notebook = Notebook()
    openai_server.script(said(BREWED))
    raw = wrap(client, notebook, user_id="ann").chat.completions.with_raw_response
    response = raw.create(model="test", messages=[ASK])
    assert response.parse().choices[0].message.content == BREWED
    assert notebook.said == STORED


def test_a_streamed_body_is_left_to_the_caller(
    client: openai.OpenAI, openai_server: OpenAIServer
) -> None:
    notebook = Notebook()
    openai_server.script(said(BREWED))
    streaming = wrap(client, notebook, user_id="ann").chat.completions.with_streaming_response
    with streaming.create(model="test", messages=[ASK]) as response:
        assert BREWED in response.text()
    assert notebook.said == STORED[:1]


def test_responses_recall_and_remember(client: openai.OpenAI, openai_server: OpenAIServer) -> None:
    notebook = Notebook()
    openai_server.script(said("I see."), said(BREWED), path=RESPONSES)
    wrapped = wrap(client, notebook, user_id="ann")
    wrapped.responses.create(model="test", input="My sister likes green tea.")
    answer = wrapped.responses.create(model="test", input=ASK["content"], instructions="Be brief.")
    assert answer.output_text == BREWED
    sent = openai_server.bodies(RESPONSES)[-1]
    assert sent["input"] == ASK["content"]
    assert sent["instructions"].startswith("Be brief.\n\n<memory>")
    assert '"My sister likes green tea."' in sent["instructions"]
    assert notebook.said[-2:] == STORED


def test_a_list_of_input_items_gets_memory_before_the_question(
    client: openai.OpenAI, openai_server: OpenAIServer
) -> None:
    wrapped = wrap(client, Notebook(), user_id="ann")
    wrapped.responses.create(model="test", input="My sister likes green tea.")
    hello = {"role": "user", "content": "Hello"}
    wrapped.responses.create(model="test", input=[hello, ASK])
    sent = openai_server.bodies(RESPONSES)[-1]["input"]
    assert [item["role"] for item in sent] == ["user", "developer", "user"]
    assert "green tea" in sent[1]["content"]


def test_where_the_server_keeps_the_conversation_memory_goes_to_the_instructions(
    client: openai.OpenAI, openai_server: OpenAIServer
) -> None:
    wrapped = wrap(client, Notebook(), user_id="ann")
    wrapped.responses.create(model="test", input="My sister likes green tea.")
    wrapped.responses.create(model="test", input=[ASK], previous_response_id="resp_1")
    sent = openai_server.bodies(RESPONSES)[-1]
    assert sent["input"] == [ASK]
    assert "green tea" in sent["instructions"]


def test_the_same_words_later_in_a_kept_conversation_are_remembered(
    client: openai.OpenAI,
) -> None:
    notebook = Notebook()
    wrapped = wrap(client, notebook, user_id="ann")
    wrapped.responses.create(model="test", input="Yes", previous_response_id="resp_1")
    wrapped.responses.create(model="test", input="Yes", previous_response_id="resp_2")
    assert [text for _, text in notebook.said].count("Yes") == 2


def test_a_stream_of_responses_is_remembered(
    client: openai.OpenAI, openai_server: OpenAIServer
) -> None:
    notebook = Notebook()
    openai_server.script(said(BREWED), said(BREWED + "!"), path=RESPONSES)
    wrapped = wrap(client, notebook, user_id="ann")
    list(wrapped.responses.create(model="test", input=ASK["content"], stream=True))
    assert notebook.said == STORED
    with wrapped.responses.stream(model="test", input=ASK["content"]) as stream:
        assert stream.get_final_response().output_text == BREWED + "!"
    assert notebook.said == [*STORED, ("assistant", BREWED + "!")]


def test_parsed_responses_are_remembered(
    client: openai.OpenAI, openai_server: OpenAIServer
) -> None:
    notebook = Notebook()
    openai_server.script(said('{"kind": "green"}'), path=RESPONSES)
    wrapped = wrap(client, notebook, user_id="ann")
    answer = wrapped.responses.parse(model="test", input=ASK["content"], text_format=Tea)
    assert answer.output_parsed == Tea(kind="green")
    assert notebook.said[-1] == ("assistant", '{"kind": "green"}')


@pytest.mark.parametrize("stored", INJECTIONS[::20])
def test_nothing_stored_poses_as_an_instruction(
    client: openai.OpenAI, openai_server: OpenAIServer, stored: str
) -> None:
    wrapped = wrap(client, Notebook(), user_id="ann")
    asking(
        wrapped,
        {"role": "user", "content": f"My sister {stored}".encode("utf-8", "ignore").decode()},
    )
    asking(wrapped)
    memory, question = openai_server.bodies()[-1]["messages"]
    assert leaks(memory["content"]) == []
    assert question == ASK


async def use_async(url: str, notebook: Notebook) -> list[str]:
    """Ask in every way an async client knows; return the answers."""
    heard = []
    async with openai.AsyncOpenAI(base_url=url, api_key="any", max_retries=0) as client:
        wrapped = wrap(client, notebook, user_id="ann")
        assert type(wrapped) is openai.AsyncOpenAI
        create = wrapped.chat.completions.create
        answer = await create(model="test", messages=[ASK])
        heard.append(answer.choices[0].message.content)
        stream = await create(model="test", messages=[ASK], stream=True)
        assert isinstance(stream, openai.AsyncStream)
        heard.append("".join([chunk.choices[0].delta.content or "" async for chunk in stream]))
        async with wrapped.chat.completions.stream(model="test", messages=[ASK]) as helper:
            heard.append((await helper.get_final_completion()).choices[0].message.content)
        async with await create(model="test", messages=[ASK], stream=True) as early:
            await anext(early)
        parsed = await wrapped.chat.completions.parse(
            model="test", messages=[ASK], response_format=Tea
        )
        heard.append(parsed.choices[0].message.content)
        response = await wrapped.responses.create(model="test", input=ASK["content"])
        heard.append(response.output_text)
        events = await wrapped.responses.create(model="test", input=ASK["content"], stream=True)
        heard += [
            event.response.output_text async for event in events if hasattr(event, "response")
        ][-1:]
        last = wrapped.with_options(timeout=5).responses
        response = await last.parse(model="test", input=ASK["content"], text_format=Tea)
        heard.append(response.output_text)
    return heard


def test_the_async_client_remembers_in_every_way(openai_server: OpenAIServer) -> None:
    notebook = Notebook()
    teas = [f'{{"kind": "tea {number}"}}' for number in range(8)]
    for path, some in [(None, teas[:5]), (RESPONSES, teas[5:])]:
        for tea in some:
            openai_server.script(said(tea), **({"path": path} if path else {}))
    heard = asyncio.run(use_async(openai_server.url, notebook))
    assert heard == [tea for tea in teas if tea != teas[3]]
    assert notebook.said == [STORED[0], *(("assistant", tea) for tea in heard)]


def test_an_async_memory_that_fails_changes_nothing(openai_server: OpenAIServer) -> None:
    openai_server.default = said('{"kind": "green"}')
    heard = asyncio.run(use_async(openai_server.url, Notebook("context", "add")))
    assert set(heard) == {'{"kind": "green"}'}
