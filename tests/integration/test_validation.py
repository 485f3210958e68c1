"""Validation against servers and zones of every kind: what proves control, what does not, and what the client is told.

Failing takes time (the server tries again), so all cases run at the same moment, once; each test looks at one of them.
A case is a function of World: it sets the scene and returns what it expects.
"""

import hashlib
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from acme_client import Key, b64url, make_csr, pick
from cryptography import x509
from responders import AlpnAnswer, WebAnswer
from steps import fresh, twin, uuid_of

CASES = {}
BOUND_SECS = 60


class Valid:
    def __init__(self, tries=1):
        self.tries = tries


class Invalid:
    """kind: the challenge's problem type. says: a part of its detail. tries: attempts that were made, when that matters."""

    def __init__(self, kind, says="", tries=None):
        self.kind, self.says, self.tries = kind, says, tries


class World:
    """One order of one name, and the servers around it."""

    def __init__(self, client, dns, web, tls, stack, wildcard=False):
        self.client, self.dns, self.web, self.tls, self.stack = client, dns, web, tls, stack
        self.name = fresh("case")
        self.order = client.new_order(["*." + self.name if wildcard else self.name])
        (self.authz,) = client.authorizations(self.order)
        self.expect = self.seen = None
        self.soon = self.then = lambda: None  # done a moment after the response was sent; after it was answered
        self.polls = []

    def take(self, method):
        self.challenge = pick(self.authz, method)
        self.token = self.challenge["token"]
        self.good = self.client.key_authorization(self.token)
        self.digest = hashlib.sha256(self.good.encode()).digest()

    def a(self, *addresses, name=None):
        self.dns("add-a", host=name or self.name, addresses=list(addresses))

    def caa(self, *policies, name=None):
        self.dns("add-caa", host=name or self.name,
                 policies=[{"flags": f, "tag": t, "value": v} for f, t, v in policies])

    def txt(self, *values):
        for value in values:
            self.dns("set-txt", host="_acme-challenge." + self.name, value=value)

    def answer(self, *args, **kwargs):
        self.web.answers[self.name] = WebAnswer(*args, **kwargs)

    def redirect(self, location, status=302):
        self.web.answers[self.name] = WebAnswer(status=status, location=location)

    def asked(self, host=None):
        return len(self.web.paths(host or self.name))


def case(method, wildcard=False):
    def add(function):
        CASES[function.__name__.replace("_", " ")] = (function, method, wildcard)
        return function
    return add


http01, dns01, tlsalpn01 = case("http-01"), case("dns-01"), case("tls-alpn-01")


# --- http-01 ---------------------------------------------------------------------------------------------------------


@http01
def the_key_authorization_proves_control(w):
    w.answer(w.good.encode())
    return Valid()


@http01
def white_space_behind_it_is_ignored(w):
    w.answer(w.good.encode() + b" \r\n\t\n")
    return Valid()


@http01
def a_chunked_answer_is_read(w):
    w.answer(raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(w.good), w.good.encode()))
    return Valid()


@http01
def redirects_of_every_kind_are_followed(w):
    names = [w.name] + [fresh("hop") for _ in range(4)]
    for here, there, status in zip(names, names[1:], (301, 302, 307, 308)):
        w.web.answers[here] = WebAnswer(status=status, location=f"http://{there}:{w.web.port}/from/{here}?a=b")
    w.web.answers[names[-1]] = WebAnswer(w.good.encode())
    return Valid()


@http01
def a_relative_redirect_is_followed(w):
    w.web.answers[w.name] = lambda path: (WebAnswer(w.good.encode()) if path == "/elsewhere" else
                                          WebAnswer(status=302, location="/elsewhere"))
    return Valid()


@http01
def an_ipv6_address_that_does_not_answer_is_no_obstacle(w):
    w.dns("add-aaaa", host=w.name, addresses=["::1"])
    w.answer(w.good.encode())
    return Valid()


@http01
def a_wrong_answer_that_becomes_right_is_valid_at_the_next_try(w):
    w.web.answers[w.name] = lambda path: WebAnswer(w.good.encode() if w.asked() > 1 else b"not yet")
    return Valid(tries=2)


@http01
def a_server_that_comes_late_is_valid_at_the_next_try(w):
    w.a("127.0.0.2")
    w.web.answers[w.name] = WebAnswer(w.good.encode())
    w.soon = lambda: w.a("127.0.0.1")
    return Valid(tries=2)


@http01
def the_thumbprint_of_another_account_key(w):
    w.answer(f"{w.token}.{Key().thumbprint}".encode())
    return Invalid("incorrectResponse", "another account key", 4)


@http01
def the_token_alone(w):
    w.answer(w.token.encode())
    return Invalid("incorrectResponse", "token alone", 4)


@http01
def the_key_authorization_with_something_in_front(w):
    w.answer(b" " + w.good.encode())
    return Invalid("incorrectResponse")


@http01
def the_key_authorization_and_more(w):
    w.answer(w.good.encode() + b"x")
    return Invalid("incorrectResponse")


@http01
def an_empty_body(w):
    w.answer(b"")
    return Invalid("incorrectResponse", "empty body")


@http01
def a_body_without_an_end(w):
    w.answer(drip=True)
    return Invalid("connection", "timeout")


@http01
def a_body_of_ten_megabytes(w):
    w.answer(b"x" * 10_000_000)
    return Invalid("incorrectResponse")


@http01
def a_body_that_is_shorter_than_announced(w):
    w.answer(w.good.encode(), headers={"Content-Length": "1000"})
    return Invalid("incorrectResponse connection")


@http01
def status_404_with_the_right_body(w):
    w.answer(w.good.encode(), status=404)
    return Invalid("incorrectResponse", "status 404", 4)


@http01
def status_500(w):
    w.answer(w.good.encode(), status=500)
    return Invalid("incorrectResponse", "status 500")


@http01
def a_redirect_by_303(w):
    w.redirect(f"http://{w.name}:{w.web.port}/x", status=303)
    return Invalid("incorrectResponse", "not followed")


@http01
def a_redirect_to_this_network(w):
    w.redirect(f"http://0.0.0.0:{w.web.port}/")
    return Invalid("connection", "0.0.0.0", 1)


@http01
def a_redirect_to_a_mapped_address(w):
    w.redirect(f"http://[::ffff:127.0.0.1]:{w.web.port}/")
    return Invalid("connection", "", 1)


@http01
def a_redirect_to_the_cloud_metadata(w):
    w.redirect("http://169.254.169.254/latest/meta-data/")
    return Invalid("connection", "link-local", 1)


@http01
def a_redirect_to_a_private_address(w):
    w.redirect(f"http://10.0.0.1:{w.web.port}/")
    return Invalid("connection", "private", 1)


@http01
def a_redirect_to_an_address_written_as_a_number(w):
    w.redirect(f"http://2130706433:{w.web.port}/")
    return Invalid("connection dns")


@http01
def a_redirect_to_a_name_that_leads_inside(w):
    inside = fresh("inside")
    w.dns("add-a", host=inside, addresses=["0.0.0.0"])
    w.redirect(f"http://{inside}:{w.web.port}/")
    w.seen = lambda: w.asked(inside) == 0
    return Invalid("connection", "0.0.0.0", 1)


@http01
def a_redirect_to_another_port(w):
    w.redirect(f"http://{w.name}:22/")
    return Invalid("connection", "port", 1)


@http01
def a_redirect_to_another_scheme(w):
    w.redirect("ftp://" + w.name + "/")
    return Invalid("connection", "", 1)


@http01
def a_redirect_to_a_file(w):
    w.redirect("file:///etc/passwd")
    return Invalid("connection", "", 1)


@http01
def a_redirect_with_a_password(w):
    w.redirect(f"http://user:pass@{w.name}:{w.web.port}/")
    return Invalid("connection", "", 1)


@http01
def a_redirect_loop(w):
    w.redirect(f"http://{w.name}:{w.web.port}/loop")
    return Invalid("connection", "loop", 1)


@http01
def eleven_redirects(w):
    w.web.answers[w.name] = lambda path: WebAnswer(status=302, location=f"http://{w.name}:{w.web.port}/{w.asked()}")
    w.seen = lambda: w.asked() == 11
    return Invalid("connection", "one redirect too many", 1)


@http01
def an_address_outside_of_what_is_allowed(w):
    w.a("0.0.0.0")
    w.answer(w.good.encode())
    w.seen = lambda: w.asked() == 0
    return Invalid("connection", "0.0.0.0", 1)


@http01
def a_mapped_address_outside_of_what_is_allowed(w):
    w.a()
    w.dns("add-aaaa", host=w.name, addresses=["::ffff:127.0.0.1"])
    w.answer(w.good.encode())
    w.seen = lambda: w.asked() == 0
    return Invalid("connection", "IPv4-mapped", 1)


@http01
def private_addresses_only(w):
    w.a("10.0.0.1", "192.168.0.1", "172.16.0.1")
    w.dns("add-aaaa", host=w.name, addresses=["fd00::1", "fe80::1"])
    return Invalid("connection", "", 1)


@http01
def nobody_listens(w):
    w.a("127.0.0.2")
    return Invalid("connection", "refused", 4)


@http01
def a_server_that_says_nothing(w):
    w.answer(hang=True)
    return Invalid("connection", "timeout", 4)


@http01
def a_server_that_speaks_no_http(w):
    w.answer(raw=b"220 mail ESMTP\r\n")
    return Invalid("incorrectResponse connection")


@http01
def a_header_of_a_megabyte(w):
    w.answer(raw=b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 170_000 + b"\r\n" + w.good.encode())
    return Invalid("incorrectResponse connection")


@http01
def no_addresses(w):
    w.a()
    return Invalid("dns", "no A or AAAA records", 4)


@http01
def a_name_that_does_not_exist(w):
    w.dns("set-nxdomain", host=w.name)
    return Invalid("dns", "NXDOMAIN", 4)


@http01
def a_zone_that_fails(w):
    w.dns("set-servfail", host=w.name)
    return Invalid("dns", "SERVFAIL", 4)


@http01
def a_zone_that_does_not_answer(w):
    w.dns("set-delay", host=w.name, seconds=-1)
    return Invalid("dns", "", 4)


# --- dns-01 ----------------------------------------------------------------------------------------------------------


@dns01
def the_right_record_among_others(w):
    w.txt("something", "x" * 600, b64url(w.digest), "else")
    return Valid()


@dns01
def the_record_behind_an_alias(w):
    target = fresh("alias")
    w.dns("set-cname", host="_acme-challenge." + w.name, target=target)
    w.dns("set-txt", host=target, value=b64url(w.digest))
    return Valid()


@dns01
def the_record_for_the_key_of_the_moment_of_the_response(w):
    """RFC 8555 section 8.1: a key change afterwards does not matter."""
    def then():
        assert w.client.key_change(Key()).status == 200
        w.txt(b64url(w.digest))
    w.then = then
    return Valid(tries=None)


@dns01
def a_wrong_record(w):
    w.txt(b64url(hashlib.sha256(b"x").digest()))
    return Invalid("incorrectResponse", "none of which", 4)


@dns01
def the_key_authorization_itself(w):
    w.txt(w.good)
    return Invalid("incorrectResponse")


@dns01
def no_record(w):
    return Invalid("dns", "no TXT record", 4)


@dns01
def a_challenge_zone_that_fails(w):
    w.dns("set-servfail", host="_acme-challenge." + w.name)
    return Invalid("dns", "SERVFAIL", 4)


# --- tls-alpn-01 -----------------------------------------------------------------------------------------------------


def alpn(w, **options):
    w.tls.answers[w.name] = AlpnAnswer(**{"digest": w.digest, **options})


@tlsalpn01
def the_certificate_of_rfc_8737_proves_control(w):
    alpn(w)
    w.seen = lambda: w.name in w.tls.hellos
    return Valid()


@tlsalpn01
def a_certificate_with_the_wrong_oid(w):
    alpn(w, oid="1.3.6.1.5.5.7.1.30.1")  # of a draft
    return Invalid("incorrectResponse", "acmeIdentifier", 4)


@tlsalpn01
def a_certificate_without_the_extension(w):
    alpn(w, extension=False)
    return Invalid("incorrectResponse", "acmeIdentifier")


@tlsalpn01
def a_certificate_whose_extension_is_not_critical(w):
    alpn(w, critical=False)
    return Invalid("incorrectResponse", "critical")


@tlsalpn01
def a_certificate_with_two_names(w):
    alpn(w, sans=(w.name, "other.proto.test"))
    return Invalid("incorrectResponse")


@tlsalpn01
def a_certificate_with_a_name_and_a_mail_address(w):
    alpn(w, sans=(w.name, x509.RFC822Name("a@proto.test")))
    return Invalid("incorrectResponse")


@tlsalpn01
def a_certificate_with_another_name(w):
    alpn(w, sans=("other.proto.test",))
    return Invalid("incorrectResponse", "other.proto.test")


@tlsalpn01
def a_certificate_with_a_wildcard(w):
    alpn(w, sans=("*." + w.name.split(".", 1)[1],))
    return Invalid("incorrectResponse")


@tlsalpn01
def a_certificate_without_names(w):
    alpn(w, sans=())
    return Invalid("incorrectResponse")


@tlsalpn01
def a_digest_of_31_bytes(w):
    alpn(w, digest=w.digest[:31])
    return Invalid("incorrectResponse")


@tlsalpn01
def a_digest_of_something_else(w):
    alpn(w, digest=hashlib.sha256(b"x").digest())
    return Invalid("incorrectResponse")


@tlsalpn01
def a_digest_with_bytes_behind_it(w):
    alpn(w, content=b"\x04\x20" + w.digest + b"\0")
    return Invalid("incorrectResponse")


@tlsalpn01
def a_digest_without_its_octet_string(w):
    alpn(w, content=w.digest)
    return Invalid("incorrectResponse")


@tlsalpn01
def a_server_of_tls_1_1(w):
    alpn(w, tls="1.1")
    return Invalid("tls", "", 4)


@tlsalpn01
def a_server_that_ignores_alpn(w):
    alpn(w, alpn=())
    return Invalid("tls", "acme-tls/1")


@tlsalpn01
def a_server_of_another_protocol(w):
    alpn(w, alpn=("h2", "http/1.1"))
    return Invalid("tls", "acme-tls/1")


@tlsalpn01
def a_server_that_closes_at_once(w):
    return Invalid("tls connection")


@tlsalpn01
def a_server_that_never_finishes_the_handshake(w):
    alpn(w, hang=True)
    return Invalid("tls connection", "timeout", 4)


@tlsalpn01
def a_tls_server_at_a_forbidden_address(w):
    alpn(w)
    w.a("0.0.0.0")
    w.seen = lambda: w.name not in w.tls.hellos
    return Invalid("connection", "0.0.0.0", 1)


# --- CAA -------------------------------------------------------------------------------------------------------------


def proven(w):
    """The challenge itself is met; what is left is CAA."""
    w.answer(w.good.encode())
    w.txt(b64url(w.digest))


def caa_case(function):
    def scene(w):
        proven(w)
        return function(w)
    scene.__name__ = function.__name__
    return scene


@http01
@caa_case
def caa_that_permits_us(w):
    w.caa((0, "issue", "other.example"), (0, "issue", "assay.test"))
    return Valid()


@http01
@caa_case
def caa_that_permits_our_account_and_method(w):
    w.caa((0, "issue", f"assay.test; validationmethods=http-01,dns-01; accounturi={w.client.kid}"))
    return Valid()


@http01
@caa_case
def caa_with_an_unknown_tag_that_is_not_critical(w):
    w.caa((0, "tbs", "unknown"), (0, "iodef", "mailto:a@proto.test"))
    return Valid()


@http01
@caa_case
def caa_for_wildcards_does_not_concern_other_names(w):
    w.caa((0, "issuewild", ";"))
    return Valid()


@http01
@caa_case
def caa_that_permits_nobody(w):
    w.caa((0, "issue", ";"))
    return Invalid("caa", "forbids every CA", 1)


@http01
@caa_case
def caa_that_permits_another_ca(w):
    w.caa((0, "issue", "other.example"))
    return Invalid("caa", "permits another CA", 1)


@http01
@caa_case
def caa_that_is_malformed(w):
    w.caa((0, "issue", "assay.test; %%%"))
    return Invalid("caa", "malformed", 1)


@http01
@caa_case
def caa_with_an_unknown_tag_that_is_critical(w):
    w.caa((128, "tbs", "unknown"), (0, "issue", "assay.test"))
    return Invalid("caa", "critical", 1)


@http01
@caa_case
def caa_that_permits_another_account(w):
    w.caa((0, "issue", "assay.test; accounturi=https://localhost/acme/account/AAAAAAAAAAAAAAAAAAAAAA"))
    return Invalid("caa", "accounturi", 1)


@http01
@caa_case
def caa_that_permits_another_method(w):
    w.caa((0, "issue", "assay.test; validationmethods=dns-01"))
    return Invalid("caa", "validationmethods", 1)


@dns01
@caa_case
def caa_that_permits_this_method(w):
    w.caa((0, "issue", "assay.test; validationmethods=dns-01"))
    return Valid()


@case("dns-01", wildcard=True)
@caa_case
def caa_that_permits_nobody_a_wildcard(w):
    w.caa((0, "issue", "assay.test"), (0, "issuewild", ";"))
    return Invalid("caa", "forbids every CA", 1)


@case("dns-01", wildcard=True)
@caa_case
def caa_that_permits_us_a_wildcard_alone(w):
    w.caa((0, "issue", ";"), (0, "issuewild", "assay.test"))
    return Valid()


# --- running them ----------------------------------------------------------------------------------------------------


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
    world = outcome(outcomes, "status 500")
    assert (world.first.status, world.first.json["status"]) == (200, "processing") and int(world.first.retry_after) > 0
    tried = [a for a in world.polls if a.json["status"] == "pending" and "error" in pick(a.json, "http-01")]
    assert tried and all(int(a.retry_after) > 0 for a in tried)
    assert {pick(a.json, "http-01")["status"] for a in tried} == {"processing"}
    assert {pick(a.json, "http-01")["error"]["type"].rsplit(":", 1)[1] for a in tried} == {"incorrectResponse"}


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
