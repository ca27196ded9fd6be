"""Language: what a text or a question holds, found without a model; pure functions only.

`terms` cuts a text into index terms, `passages` into spans, `traits` notes cheap facts about
it, and `cues` reads a question.
"""
