"""Phase 1: messages -> facts. `request` writes the prompt, `read` checks the answer.

```
request(conversation, guidance) -> (messages, tool)  --LLM-->  Answer
read(answer, conversation, guidance) -> Facts         or ExtractionError: ask again with `repair`
```
"""

from holdfast.answers import Problem, repair
from holdfast.extraction.prompt import Conversation, Guidance, request
from holdfast.extraction.reading import MAX_FACTS, Facts, read
from holdfast.facts import Fact
from holdfast.relations import Relation
from holdfast.transcript import Turn

__all__ = [
    "MAX_FACTS",
    "Conversation",
    "Fact",
    "Facts",
    "Guidance",
    "Problem",
    "Relation",
    "Turn",
    "read",
    "repair",
    "request",
]
