"""Validation against servers and zones of every kind: what proves control, what does not, and what the client is told.

Failing takes time (the server tries again), so all cases run at the same moment, once; each test looks at one of them.
"""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import scenes_http01  # noqa: F401  (their cases)
import scenes_names  # noqa: F401
from acme_client import make_csr, pick
from responders import WebAnswer
from scene import CASES, Valid, World
from steps import fresh, twin, uuid_of

BOUND_SECS = 60


def run_case(world, function):
    world.expect = function(world)
    started = time.monotonic()
    timer = threading.Timer(0.5, world.soon)
    timer.start()
    world.first = world.client.respond(world.challenge)
    timer.join()
    assert world.first.status == 200, world.first
    world.then()
    while not world.polls or world.polls[-1].json["status"] == "pending" and time.monotonic() < started + BOUND_SECS:
        world.polls.append(world.client.get(world.authz["url"]))
        assert world.polls[-1].status == 200, world.polls[-1]
        time.sleep(0.5)
    world.took = time.monotonic() - started
    world.final = world.polls[-1].json
    (world.result,) = [c for c in world.final["challenges"] if c["type"] == world.challenge["type"]]
    world.order_after = world.client.get(world.order.location).json
    world.client.close()
    return world


@pytest.fixture(scope="module")
def outcomes(client, new_client, dns, web, tls, stack):
    """Every case's World after the end, by name; or the exception that kept it from ending."""
    worlds = {}
    for name, (function, method, wildcard) in CASES.items():
        owner = new_client() if "key of the moment" in name else twin(client)
        worlds[name] = World(owner, dns, web, tls, stack, wildcard)
        worlds[name].take(method)
    with ThreadPoolExecutor(len(CASES)) as pool:
        futures = {name: pool.submit(run_case, world, CASES[name][0]) for name, world in worlds.items()}
    return {name: future.exception() or future.result() for name, future in futures.items()}


def outcome(outcomes, name):
    if isinstance(outcomes[name], Exception):
        raise outcomes[name]
    return outcomes[name]


@pytest.mark.parametrize("name", CASES)
def test_case(outcomes, db, name):
    world = outcome(outcomes, name)
    expect = world.expect
    rows = db.rows("select outcome, problem, evidence from assay.validations where authz_id = %s order by attempt",
                   uuid_of(world.authz["url"]))
    if isinstance(expect, Valid):
        assert (world.final["status"], world.result["status"]) == ("valid", "valid"), world.final
        assert "validated" in world.result and "error" not in world.result
        assert world.order_after["status"] == "ready"
        assert [outcome for outcome, _, _ in rows] == [2] * ((expect.tries or len(rows)) - 1) + [0]
    else:
        assert (world.final["status"], world.result["status"]) == ("invalid", "invalid"), world.final
        assert [c["type"] for c in world.final["challenges"]] == [world.challenge["type"]]
        error = world.result["error"]
        assert error["type"].rsplit(":", 1)[1] in expect.kind.split() and expect.says in error["detail"], error
        assert world.order_after["status"] == "invalid" and world.order_after["error"]["type"].endswith(":unauthorized")
        (sub,) = world.order_after["error"]["subproblems"]
        shown = ("*." if world.authz.get("wildcard") else "") + world.name
        assert (sub["type"], sub["identifier"]) == (error["type"], {"type": "dns", "value": shown})
        assert [outcome for outcome, _, _ in rows] == [2] * (len(rows) - 1) + [1]
        assert expect.tries in (None, len(rows))
    assert world.seen is None or world.seen()
    assert world.took < BOUND_SECS
    # CA/B BR 5.4.1: of every attempt it is recorded what was done and seen.
    for number, (_, problem, evidence) in enumerate(rows):
        seen = json.loads(evidence)
        assert (seen["method"], seen["name"], seen["perspective"]) == (world.challenge["type"], world.name, "primary")
        assert seen["br_method"].startswith("3.2.2.4.") and seen["started"] <= seen["finished"]
        assert (seen["result"] == "valid") == (problem is None)


def test_no_connection_went_to_a_forbidden_address(outcomes, web):
    """The web server listens where 0.0.0.0 and ::ffff:127.0.0.1 lead; it would have heard of them."""
    assert not [host for host, _, _ in web.requests if host in ("0.0.0.0", "[::ffff:127.0.0.1]", "2130706433")]


def test_the_request_of_http_01_is_what_rfc_8555_says(outcomes, web):
    world = outcome(outcomes, "the key authorization proves control")
    ((host, path, headers),) = [r for r in web.requests if r[0] == world.name]
    assert path == "/.well-known/acme-challenge/" + world.token
    assert headers["Host"] in (f"{world.name}:{web.port}", world.name)
    assert headers["User-Agent"].startswith("assay/") and headers["Connection"] == "close"


def test_no_order_is_finalized_with_an_invalid_authorization(outcomes):
    world = outcome(outcomes, "status 500")
    client = world.client
    answer = client.finalize(world.order, make_csr([world.name]))
    assert (answer.status, answer.problem) == (403, "orderNotReady")
    again = client.respond(world.challenge)
    assert (again.status, again.json["status"]) == (200, "invalid")


def test_while_a_failed_try_is_repeated_the_challenge_is_processing_and_says_why(outcomes):
    """RFC 8555 section 8.2."""
    world = outcome(outcomes, "a server that says nothing")
    assert (world.first.status, world.first.json["status"]) == (200, "processing") and int(world.first.retry_after) > 0
    tried = [a for a in world.polls if a.json["status"] == "pending" and "error" in pick(a.json, "http-01")]
    assert tried and all(int(a.retry_after) > 0 for a in tried)
    assert {pick(a.json, "http-01")["status"] for a in tried} == {"processing"}
    assert {pick(a.json, "http-01")["error"]["type"].rsplit(":", 1)[1] for a in tried} == {"connection"}


def test_caa_is_looked_for_upwards_and_the_nearest_set_decides(client, dns, web):
    parent = fresh("caa")
    dns("add-caa", host=parent, policies=[{"tag": "issue", "value": "other.example"}])
    dns("add-caa", host="near." + parent, policies=[{"tag": "issue", "value": "assay.test"}])
    for name, status in (("a.b." + parent, "invalid"), ("a.near." + parent, "valid")):
        (authz,) = client.authorizations(client.new_order([name]))
        challenge = pick(authz, "http-01")
        web.answers[name] = WebAnswer(client.key_authorization(challenge["token"]).encode())
        answer = client.respond(challenge)
        assert answer.json["status"] == status
        if status == "invalid":
            assert answer.json["error"]["type"].endswith(":caa") and f"at {parent} " in answer.json["error"]["detail"]
    steps = [name for name in ("a.b." + parent, "b." + parent, parent, "a.near." + parent, "near." + parent)
             if "CAA" in [h["type"] for h in dns("dns-request-history", host=name)]]
    assert len(steps) == 5
