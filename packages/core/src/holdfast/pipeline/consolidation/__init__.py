"""Phase 2: facts x what is known -> decisions. Rules first; a model only where they leave doubt.

```
plan(facts, neighbours) -> Plan
    plan.open is empty:  decide(plan) -> (Decision, ...)                       no call
    else:                request(plan) -> (messages, tool)  --LLM-->  Answer
                         read(answer, plan) -> Decisions     or ExtractionError: `repair`
```
"""

from holdfast.pipeline.answers import Problem, repair
from holdfast.pipeline.consolidation.deciding import Decision, Verdict, decide
from holdfast.pipeline.consolidation.planning import NEAR, Neighbour, Plan, plan
from holdfast.pipeline.consolidation.prompt import request
from holdfast.pipeline.consolidation.reading import Decisions, read

__all__ = [
    "NEAR",
    "Decision",
    "Decisions",
    "Neighbour",
    "Plan",
    "Problem",
    "Verdict",
    "decide",
    "plan",
    "read",
    "repair",
    "request",
]
