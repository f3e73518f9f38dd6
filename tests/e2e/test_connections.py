"""Connections that the network has dropped while a function was frozen."""

import time

import pytest

from functions.records import DEGRADED, SUCCESS, Degradation
from functions.times import Times
from local.stack import Stack
from tests.e2e.client import OPERATIONS, make_clients, send_at_once
from tests.e2e.conftest import NEW, Api, Fronts, acted


@pytest.mark.parametrize("swallow", [False, True], ids=["reset", "swallowed"])
def test_what_comes_after_a_pause_is_not_lost_on_a_dead_connection(
    api: Api, stack: Stack, fronts: Fronts, swallow: bool
) -> None:
    """One pause for all: each client of each function, and of the worker, has a connection."""
    earlier, clients = make_clients(api, stack), make_clients(api, stack)
    assert {reply.status for reply in send_at_once(earlier)} <= {200, 204}
    assert stack.settle()
    fronts.reset()
    for front in fronts:
        front.lose_open(swallow=swallow)
    # A longer pause changes nothing.
    time.sleep(Times().idle)

    replies = send_at_once(clients)

    assert stack.settle()
    assert [reply.status for reply in replies] == [one.status for one in OPERATIONS]
    for client in clients:
        # The list of breached passwords has a second.
        assert {SUCCESS} == client.seen(1).metrics - {Degradation.BREACH_CHECK_FAILED, DEGRADED}
    changes = {"ConfirmForgotPassword", "ChangePassword", "GetUser", "GlobalSignOut"}
    lists = {"ListUserSessions", "AdminListUserSessions"}
    asked = {"ForgotPassword", "AdminUserGlobalSignOut", *changes, *lists}
    assert sorted(acted(fronts.cognito)) == sorted(asked)
    assert [len(fronts.queue.requests), len(fronts.events.requests)] == [3, 2]
    assert clients[0].codes == 1
    for client in clients[1:]:
        assert (client.passwords, client.session_lives) == ({NEW}, False)
