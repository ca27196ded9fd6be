"""Context: what matters now, quoted as data, within a token budget.

`compiling` asks memory and fills the budget, `compression` shortens a live conversation;
`rendering` is how a stored text is shown anywhere without being able to pose as an instruction.
"""
