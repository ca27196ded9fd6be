"""What a type checker sees of a wrapped client: the client."""

from holdfast.openai import wrap
from holdfast.openai.turns import Remembers
from openai import AsyncOpenAI, AzureOpenAI, OpenAI
from openai.types.chat import ChatCompletion
from typing_extensions import assert_type


def check(memory: Remembers) -> None:
    assert_type(wrap(OpenAI(), memory, user_id="ann"), OpenAI)
    assert_type(wrap(AsyncOpenAI(), memory, user_id="ann"), AsyncOpenAI)
    assert_type(wrap(AzureOpenAI(), memory, user_id="ann"), AzureOpenAI)
    wrap(OpenAI(), memory, user="ann")  # type: ignore[call-arg]
    client = wrap(OpenAI(), memory, user_id="ann")
    assert_type(
        client.chat.completions.create(
            model="gpt-4o", messages=[{"role": "user", "content": "Hello"}]
        ),
        ChatCompletion,
    )
