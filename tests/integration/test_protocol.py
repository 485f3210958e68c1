"""What holds for every request: methods, headers, signatures, nonces, URLs, and that errors are problem documents."""

import base64
import http.client
import json
import ssl
import urllib.parse

import pytest
from acme_client import DROP, JOSE, AcmeClient, Key, b64url, compact
from steps import at_once, fresh, ready_order, twin

SIGNED = ("newAccount", "newOrder", "revokeCert", "keyChange")


@pytest.fixture(scope="module")
def resources(client, dns):
    """The URL of one of everything that an account has."""
    order = ready_order(client, dns, [fresh("resources")])
    authz = client.get(order.json["authorizations"][0]).json
    return {"account": client.kid, "orders": client.get(client.kid).json["orders"], "order": order.location,
            "authorization": order.json["authorizations"][0], "challenge": authz["challenges"][0]["url"],
            "finalize": order.json["finalize"], "certificate": order.location.replace("/order/", "/certificate/")}


def assert_problem(answer, status, kind):
    assert (answer.status, answer.problem) == (status, kind), answer
    assert answer.json["status"] == status and answer.json["detail"], answer


# --- public resources ------------------------------------------------------------------------------------------------


def test_the_directory_is_read_by_get_head_and_post_as_get(stack, client):
    base = stack["ACME_DIRECTORY"].removesuffix("/directory")
    got = client.request("GET", client.directory_url)
    assert (got.status, got.type) == (200, "application/json")
    assert set(got.json) == {"newNonce", "newAccount", "newOrder", "revokeCert", "keyChange", "renewalInfo", "meta"}
    assert all(got.json[name].startswith(base + "/") for name in got.json if name != "meta")
    assert got.json["meta"]["caaIdentities"] == ["assay.test"] and "default" in got.json["meta"]["profiles"]
    assert got.headers["Access-Control-Allow-Origin"] == "*"
    head = client.request("HEAD", client.directory_url)
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", got.headers["Content-Length"])
    signed = client.get(client.directory_url)
    assert (signed.status, signed.json) == (200, got.json) and signed.nonce


def test_new_nonce_answers_every_way_of_asking_and_is_never_cached(client):
    url = client.directory["newNonce"]
    answers = {"HEAD": client.request("HEAD", url), "GET": client.request("GET", url), "POST": client.get(url)}
    assert {how: a.status for how, a in answers.items()} == {"HEAD": 200, "GET": 204, "POST": 200}
    for answer in answers.values():
        assert answer.headers["Cache-Control"] == "no-store" and answer.body == b""
        assert answer.links("index") == [client.directory_url]
        assert set(answer.nonce) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert len({a.nonce for a in answers.values()}) == 3


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE"])
def test_signed_resources_take_nothing_but_post(client, resources, method):
    for name, url in [(n, client.directory[n]) for n in SIGNED] + list(resources.items()):
        answer = client.request(method, url)
        assert (answer.status, answer.headers["Allow"]) == (405, "POST, OPTIONS"), name
        if method != "HEAD":
            assert_problem(answer, 405, "malformed")


def test_a_browsers_preflight_is_answered(client, resources):
    asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST",
             "Access-Control-Request-Headers": "content-type"}
    for url in [client.directory[n] for n in (*SIGNED, "newNonce")] + list(resources.values()):
        answer = client.request("OPTIONS", url, headers=asked)
        assert (answer.status, answer.body) == (204, b""), url
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert "POST" in answer.headers["Access-Control-Allow-Methods"].split(", ")
        assert answer.headers["Access-Control-Allow-Headers"] == "Content-Type"


def test_public_resources_name_their_methods(stack, client):
    base = stack["ACME_DIRECTORY"].removesuffix("/directory")
    for url, allow in ((client.directory_url, "GET, HEAD, POST, OPTIONS"), (client.directory["newNonce"], "GET, HEAD, POST, OPTIONS"),
                       (base + "/health", "GET, HEAD, OPTIONS"), (base + "/ready", "GET, HEAD, OPTIONS"), (base + "/", "GET, HEAD, OPTIONS")):
        answer = client.request("DELETE", url)
        assert_problem(answer, 405, "malformed")
        assert answer.headers["Allow"] == allow, url


def test_every_answer_to_a_post_has_a_nonce_of_its_own_and_the_index_link(client, resources):
    urls = [client.directory[n] for n in SIGNED] + list(resources.values())
    nonces = []
    for url in urls:
        for answer in (client.post(url, b"no json"), client.post(url, {}, nonce="AAAA"), client.get(url)):
            assert answer.links("index") == [client.directory_url] and answer.headers["Cache-Control"] == "no-store", url
            nonces.append(answer.nonce)
    assert None not in nonces and len(set(nonces)) == 3 * len(urls)


# --- the signature ---------------------------------------------------------------------------------------------------


def outer(**members):
    return lambda jws: {**jws, **members}


def spoil(jws):
    signature = bytearray(base64.urlsafe_b64decode(jws["signature"] + "=="))
    signature[-1] ^= 1
    jws["signature"] = b64url(signature)


TAMPERED = {
    "the wrong url": ({"header": {"url": "https://localhost/acme/new-order"}}, 403, "unauthorized"),
    "the url with a query": ({"header": lambda url: {"url": url + "?x"}}, 403, "unauthorized"),
    "no url": ({"header": {"url": DROP}}, 400, "malformed"),
    "the wrong algorithm": ({"alg": "HS256"}, 400, "badSignatureAlgorithm"),
    "no algorithm at all": ({"alg": "none"}, 400, "badSignatureAlgorithm"),
    "an algorithm of another key type": ({"alg": "RS256"}, 400, "malformed badSignatureAlgorithm badPublicKey"),
    "a spoilt signature": ({"mutate": spoil}, 400, "malformed"),
    "an empty signature": ({"signature": b""}, 400, "malformed"),
    "a signature by another key": ({"key": Key()}, 400, "malformed"),
    "a payload that was swapped": ({"mutate": outer(payload=b64url(b'{"identifiers":[]}'))}, 400, "malformed"),
    "a second signature": ({"mutate": outer(signatures=[])}, 400, "malformed"),
    "an unprotected header": ({"mutate": outer(header={"kid": "x"})}, 400, "malformed"),
    "a critical extension": ({"header": {"crit": ["exp"], "exp": 1}}, 400, "malformed"),
    "a payload that is not encoded": ({"header": {"b64": False, "crit": ["b64"]}}, 400, "malformed"),
    "both kid and jwk": ({"header": lambda url: {"jwk": Key().jwk}}, 400, "malformed"),
    "neither kid nor jwk": ({"header": {"kid": DROP}}, 400, "malformed"),
    "a jwk where a kid belongs": ({"kid": None}, 400, "malformed"),
    "a kid of nobody": ({"header": lambda url: {"kid": url.replace("new-order", "account/" + "A" * 22)}}, 400,
                        "accountDoesNotExist"),
    "a kid of another server": ({"header": {"kid": "https://other.test/acme/account/AAAAAAAAAAAAAAAAAAAAAA"}}, 400,
                                "malformed"),
    "no nonce": ({"nonce": DROP}, 400, "badNonce"),
    "an invented nonce": ({"nonce": b64url(b"n" * 24)}, 400, "badNonce"),
    "a nonce that is not base64url": ({"nonce": "not base64url!"}, 400, "malformed"),
    "a nonce that is a number": ({"nonce": 1}, 400, "malformed"),
    "a body that is no JSON": ({"body": b"{"}, 400, "malformed"),
    "the compact form": ({"body": b"e30.e30.AAAA"}, 400, "malformed"),
    "an empty body": ({"body": b""}, 400, "malformed"),
}


@pytest.mark.parametrize("how", TAMPERED)
def test_a_request_is_refused_with(client, how):
    options, status, kinds = TAMPERED[how]
    url = client.directory["newOrder"]
    if callable(options.get("header")):
        options = {**options, "header": options["header"](url)}
    answer = client.post(url, {"identifiers": [{"type": "dns", "value": fresh()}]}, **options)
    assert answer.problem in kinds.split(), answer
    assert_problem(answer, status, answer.problem)
    assert answer.nonce
    if answer.problem == "badSignatureAlgorithm":
        assert {"ES256", "RS256", "EdDSA"} <= set(answer.json["algorithms"]) and "none" not in answer.json["algorithms"]


@pytest.mark.parametrize("content_type", [None, "application/json", "application/jose", "text/plain",
                                          "application/jose+json; charset=utf-8"])
def test_another_content_type_is_415(client, content_type):
    answer = client.post(client.directory["newOrder"], {}, content_type=content_type)
    assert_problem(answer, 415, "malformed")
    assert answer.nonce


def test_a_client_without_a_name_and_a_nonce_in_a_header_are_refused(client):
    for headers in ({"User-Agent": None}, {"Replay-Nonce": client.fresh_nonce()}):
        assert_problem(client.post(client.directory["newOrder"], {}, headers=headers), 400, "malformed")


# --- nonces ----------------------------------------------------------------------------------------------------------


def test_a_nonce_is_good_for_one_request_and_its_refusal_brings_a_good_one(client):
    nonce = client.fresh_nonce()
    assert client.get(client.kid, nonce=nonce).status == 200
    again = client.get(client.kid, nonce=nonce)
    assert_problem(again, 400, "badNonce")
    assert client.get(client.kid, nonce=again.nonce).status == 200


def test_a_nonce_of_one_program_is_good_at_another_but_only_once(client):
    nonce = client.get(client.kid).nonce  # assay-account
    assert client.new_order([fresh()], nonce=nonce).status == 201  # assay-order
    assert_problem(client.get(client.kid, nonce=nonce), 400, "badNonce")


def test_of_64_parallel_uses_of_one_nonce_exactly_one_is_accepted(client):
    nonce = client.fresh_nonce()
    url = client.directory["newOrder"]
    body = json.dumps(client.jws(url, {"identifiers": [{"type": "dns", "value": fresh("nonce")}]}, nonce=nonce)).encode()
    twins = [twin(client) for _ in range(64)]
    for other in twins:
        other.request("HEAD", other.directory["newNonce"])  # the TLS connection stands
    answers = at_once(64, lambda i: twins[i].post(url, body=body))
    assert [a.status for a in answers if a.problem is None] == [201]
    assert [a.problem for a in answers if a.status != 201] == ["badNonce"] * 63
    assert len({a.nonce for a in answers}) == 64


# --- sizes and nginx's own errors ------------------------------------------------------------------------------------


def test_a_body_of_more_than_64_kib_is_413(client):
    fits = client.post(client.directory["newOrder"], body=b"x" * 65536)
    assert_problem(fits, 400, "malformed")
    assert_problem(client.post(client.directory["newOrder"], body=b"x" * 65537), 413, "malformed")


def raw(stack, request, plain=False):
    """What the server says to these bytes."""
    url = urllib.parse.urlsplit(stack["ACME_DIRECTORY"])
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=20)
    if not plain:
        context = ssl.create_default_context(cafile=stack["ACME_CA_ROOT"])
        connection = http.client.HTTPSConnection(url.hostname, url.port, timeout=20, context=context)
    connection.connect()
    connection.sock.sendall(request)
    answer = http.client.HTTPResponse(connection.sock)
    answer.begin()
    body = answer.read()
    connection.close()
    return answer, json.loads(body)


@pytest.mark.parametrize("request_, status", [
    (b"GET /nothing-here HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
    (b"GET /acme/nothing-here HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
    (b"GET /.well-known/../directory/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
    (b"GET /directory HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400),
    (b"GET /directory HTTP/1.1\r\n\r\n", 400),
    (b"NONSENSE\r\n\r\n", 400),
    (b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", 505),
    (b"POST /acme/new-order HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
    (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
    (b"GET /directory HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 20000 + b"\r\n\r\n", 431),
    (b"POST /acme/new-order HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n", 413),
], ids=["an unknown path", "an unknown resource", "a path with dots", "two hosts", "no host",
        "no HTTP", "another version", "another transfer coding", "a long path", "a long header",
        "a large body announced"])
def test_the_web_servers_own_errors_are_problem_documents(stack, request_, status):
    answer, problem = raw(stack, request_)
    assert (answer.status, answer.headers["Content-Type"]) == (status, "application/problem+json")
    assert (problem["type"], problem["status"]) == ("urn:ietf:params:acme:error:malformed", status) and problem["detail"]


def test_plain_http_at_the_port_of_https_is_told_so(stack):
    answer, problem = raw(stack, b"GET /directory HTTP/1.1\r\nHost: localhost\r\n\r\n", plain=True)
    assert (answer.status, answer.headers["Content-Type"], problem["status"]) == (400, "application/problem+json", 400)


# --- URLs ------------------------------------------------------------------------------------------------------------


def test_forged_host_and_forwarding_headers_never_change_a_url(stack, new_client):
    forged = {"Host": "evil.test", "X-Forwarded-Host": "evil.test", "X-Forwarded-Proto": "http", "X-Forwarded-For": "1.2.3.4",
              "X-Forwarded-Port": "1", "X-Forwarded-Prefix": "/evil", "Forwarded": "host=evil.test;proto=http",
              "X-Original-URL": "/evil", "X-Rewrite-URL": "/evil"}
    client = new_client(account=False)
    directory = client.request("GET", client.directory_url, headers=forged)
    assert directory.json == client.directory
    account = client.new_account(headers=forged)
    order = client.post(client.directory["newOrder"], {"identifiers": [{"type": "dns", "value": fresh()}]}, headers=forged)
    assert (account.status, order.status) == (201, 201)
    for answer in (directory, account, order):
        text = f"{answer.headers}{answer.body}"
        assert "evil" not in text and "http://" not in text
        assert text.count("https://") == text.count(stack["ACME_DIRECTORY"].removesuffix("directory"))


def test_an_absolute_request_target_does_not_change_the_url_that_is_signed(stack):
    answer, problem = raw(stack, b"GET https://evil.test/directory HTTP/1.1\r\nHost: evil.test\r\n\r\n")
    assert "evil" not in json.dumps(problem) and answer.status in (200, 404)


def test_a_request_signed_for_one_url_is_refused_at_another(client):
    nonce = client.fresh_nonce()
    jws = client.jws(client.directory["revokeCert"], {"identifiers": [{"type": "dns", "value": fresh()}]}, nonce=nonce)
    answer = client.request("POST", client.directory["newOrder"], compact(jws), {"Content-Type": JOSE})
    assert_problem(answer, 403, "unauthorized")


def test_a_client_of_plain_http_1_0_is_served(stack):
    client = AcmeClient(stack["ACME_DIRECTORY"], stack["ACME_CA_ROOT"])
    answer, directory = raw(stack, b"GET /directory HTTP/1.0\r\nHost: localhost\r\n\r\n")
    assert answer.status == 200 and directory == client.directory
