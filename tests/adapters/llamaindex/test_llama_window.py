from __future__ import annotations

from holdfast_llamaindex.window import leaving
from hypothesis import given, settings
from hypothesis import strategies as st

USER, ASSISTANT, TOOL, SYSTEM = "user", "assistant", "tool", "system"


def test_nothing_leaves_a_window_that_is_not_full() -> None:
    assert leaving([USER, ASSISTANT], [5, 5], 10, 5) == range(0)


def test_the_oldest_leave_until_the_rest_fits() -> None:
    roles = [USER, ASSISTANT] * 3

    assert leaving(roles, [10] * 6, 40, 10) == range(2)


def test_a_window_goes_on_with_a_users_message() -> None:
    roles = [USER, ASSISTANT, TOOL, ASSISTANT, USER, ASSISTANT]

    assert leaving(roles, [10] * 6, 50, 10) == range(4)


def test_the_last_turn_stays_however_long_it_is() -> None:
    assert leaving([USER, ASSISTANT, TOOL, ASSISTANT], [90, 1, 1, 1], 40, 40) == range(0)
    assert leaving([USER, ASSISTANT, USER, ASSISTANT], [9, 9, 90, 1], 40, 40) == range(2)


def test_a_leading_system_message_stays() -> None:
    roles = [SYSTEM, USER, ASSISTANT, USER, ASSISTANT]

    assert leaving(roles, [5, 50, 50, 5, 5], 40, 10) == range(1, 3)


def test_a_window_without_a_user_stays_whole() -> None:
    assert leaving([ASSISTANT, ASSISTANT], [50, 50], 10, 10) == range(0)


ROLES = st.sampled_from([USER, ASSISTANT, TOOL])


@settings(max_examples=100)
@given(st.lists(st.tuples(ROLES, st.integers(0, 50)), max_size=20), st.integers(1, 200))
def test_what_stays_fits_or_is_one_turn(messages: list[tuple[str, int]], limit: int) -> None:
    roles, costs = [role for role, _ in messages], [cost for _, cost in messages]

    start = leaving(roles, costs, limit, 20).stop

    turns = [place for place in range(start, len(roles)) if roles[place] == USER]
    assert sum(costs[start:]) <= limit or turns in ([], [start])
    assert start == 0 or roles[start] == USER
