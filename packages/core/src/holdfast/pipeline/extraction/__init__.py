"""Phase 1: messages -> facts. `request` writes the prompt, `read` checks the answer.

```
request(conversation, guidance) -> (messages, tool)  --LLM-->  Answer
read(answer, conversation, guidance) -> Facts         or ExtractionError: ask again with `repair`
```
"""

from holdfast.pipeline.answers import Problem, repair
from holdfast.pipeline.extraction.prompt import Conversation, Guidance, request
from holdfast.pipeline.extraction.reading import MAX_FACTS, Facts, read
from holdfast.pipeline.facts import Fact
from holdfast.pipeline.relations import Relation
from holdfast.pipeline.transcript import Turn

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
