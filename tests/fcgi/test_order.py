"""assay-order over its FastCGI socket: orders, authorizations, challenges, certificates (RFC 8555 sections 7.1, 7.4, 7.5)."""

import base64
import datetime
import json
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from acme_over_fcgi import acme_client
from acme_client import Key, certificates, leaf_key, make_csr, pick
from conftest import BASE, wait_for

FAILED = json.dumps({"type": "urn:ietf:params:acme:error:incorrectResponse", "detail": "wrong", "status": 403})
count = iter(range(10**9))


def fresh():
    return f"h{next(count)}.order.test"


def make_ready(client, workers, names, **options):
    """An order with every authorization valid."""
    order = client.new_order(names, **options)
    assert order.status == 201, order
    for authz in client.authorizations(order):
        if authz["status"] == "pending":
            assert client.respond(pick(authz, "dns-01")).status == 200
            workers.validate(authz["url"])
    return client.get(order.location)


def make_valid(client, workers, names, key=None):
    order = make_ready(client, workers, names)
    assert client.finalize(order, make_csr(names, key)).status == 200
    cert = workers.issue(order.location)
    return client.get(order.location), cert


# ---- newOrder ----

def test_a_new_order_shows_everything(client):
    name = fresh()
    order = client.new_order([f"*.{name}", name.upper(), name])
    assert order.status == 201 and order.type == "application/json"
    assert order.location.startswith(f"{BASE}/acme/order/") and order.links("index") == [f"{BASE}/directory"]
    assert set(order.json) == {"status", "expires", "identifiers", "profile", "authorizations", "finalize"}
    assert order.json["status"] == "pending" and order.json["profile"] == "classic"
    assert order.json["identifiers"] == [{"type": "dns", "value": f"*.{name}"}, {"type": "dns", "value": name}]
    assert len(order.json["authorizations"]) == 2
    assert order.json["finalize"] == f"{order.location}/finalize"
    expires = datetime.datetime.strptime(order.json["expires"], "%Y-%m-%dT%H:%M:%SZ")
    assert abs((expires - datetime.datetime.utcnow()).total_seconds() - 7 * 86400) < 60
    read = client.get(order.location)
    assert read.status == 200 and read.json == order.json and read.location == order.location


def test_profiles_are_chosen_and_echoed(client):
    assert client.new_order([fresh()], more={"profile": "short"}).json["profile"] == "short"
    assert client.new_order([fresh()], more={"profile": "x"}).problem == "invalidProfile"
    assert client.new_order([fresh(), fresh(), fresh()], more={"profile": "short"}).problem == "malformed"


def test_dates_are_echoed_or_refused(client):
    now = datetime.datetime.utcnow().replace(microsecond=0)
    day = datetime.timedelta(days=1)
    dates = {"notBefore": (now + day / 2).isoformat() + "Z", "notAfter": (now + 30 * day).isoformat() + "Z"}
    order = client.new_order([fresh()], more=dates)
    assert order.status == 201
    assert {k: client.get(order.location).json[k] for k in dates} == dates
    for bad in ({"notAfter": (now + 91 * day).isoformat() + "Z"}, {"notBefore": (now + 3 * day).isoformat() + "Z"},
                {"notAfter": (now - day).isoformat() + "Z"}, {"notAfter": "soon"}, {"notBefore": 7}):
        answer = client.new_order([fresh()], more=bad)
        assert (answer.status, answer.problem) == (400, "malformed"), bad


@pytest.mark.parametrize("identifiers,problem", [
    ([], "malformed"), (["127.0.0.1"], "rejectedIdentifier"), (["0x7f.1"], "rejectedIdentifier"),
    (["2130706433"], "rejectedIdentifier"), (["[::1]"], "rejectedIdentifier"), (["co.uk"], "rejectedIdentifier"),
    (["*.co.uk"], "rejectedIdentifier"), (["a.blocked.test"], "rejectedIdentifier"), (["a_b.test"], "rejectedIdentifier"),
    (["a.test."], "rejectedIdentifier"), (["*.*.a.test"], "rejectedIdentifier"), (["xn--a.test"], "rejectedIdentifier"),
    ([{"type": "ip", "value": "192.0.2.1"}], "unsupportedIdentifier"), ([{"type": "dns"}], "malformed"),
    ([{"type": "dns", "value": ""}], "malformed"), (["a.test"] * 21, "malformed"),
    (["co.uk", "a_b.test", "good.test"], "compound")])
def test_identifiers_we_do_not_take(client, identifiers, problem):
    answer = client.new_order(identifiers)
    assert (answer.status, answer.problem) == (400, problem)
    if problem == "compound":
        assert [s["identifier"]["value"] for s in answer.json["subproblems"]] == ["co.uk", "a_b.test"]


def test_unknown_members_are_tolerated(client):
    assert client.new_order([fresh()], more={"replaced": "x", "foo": [1, {"a": None}]}).status == 201


def test_what_others_ordered_looks_unknown(client, new_client, workers):
    other = new_client()
    order, _ = make_valid(other, workers, [fresh()])
    authz = order.json["authorizations"][0]
    challenge = other.get(authz).json["challenges"][0]["url"]
    urls = [order.location, authz, challenge, order.json["certificate"]]
    unknown = [url.replace(url.split("/")[5], "AZqmDQAAcACAAAAAAAAAAQ") for url in urls]
    answers = [client.get(url) for url in urls + unknown + [f"{BASE}/acme/order/x", f"{BASE}/acme/authz/!"]]
    assert {a.status for a in answers} == {404} and len({a.body for a in answers}) == 1
    assert client.post(order.json["finalize"], {"csr": acme_client.b64url(make_csr([fresh()]))}).body == answers[0].body
    assert client.post(authz, {"status": "deactivated"}).status == 404
    assert client.respond({"url": challenge}).status == 404


@pytest.mark.parametrize("path", ["/acme/new-order", "/acme/order/AZqmDQAAcACAAAAAAAAAAQ", "/acme/revoke-cert",
                                  "/acme/certificate/AZqmDQAAcACAAAAAAAAAAQ"])
def test_nothing_is_read_by_get(client, path):
    answer = client.request("GET", BASE + path)
    assert (answer.status, answer.problem) == (405, "malformed")


def test_reading_wants_an_empty_payload(client):
    order = client.new_order([fresh()])
    authz = order.json["authorizations"][0]
    assert client.post(order.location, {}).problem == "malformed"
    assert client.post(authz, {}).problem == "malformed"
    assert client.post(authz, {"status": "valid"}).problem == "malformed"
    assert client.post(order.json["finalize"], b"").problem == "malformed"


# ---- authorizations and challenges ----

def test_an_authorization_offers_every_challenge(client):
    name = fresh()
    (authz,) = client.authorizations(client.new_order([name]))
    assert set(authz) - {"url"} == {"status", "expires", "identifier", "challenges"}
    assert authz["status"] == "pending" and authz["identifier"] == {"type": "dns", "value": name}
    assert {c["type"] for c in authz["challenges"]} == {"http-01", "dns-01", "tls-alpn-01"}
    tokens = [c["token"] for c in authz["challenges"]]
    assert len(set(tokens)) == 3 and all(len(base64.urlsafe_b64decode(t + "=")) == 32 for t in tokens)
    for challenge in authz["challenges"]:
        assert set(challenge) == {"type", "url", "status", "token"} and challenge["status"] == "pending"
        read = client.get(challenge["url"])
        assert read.status == 200 and read.json == challenge and read.links("up") == [authz["url"]]


def test_a_wildcard_offers_dns_alone(client):
    name = fresh()
    (authz,) = client.authorizations(client.new_order([f"*.{name}"]))
    assert authz["wildcard"] is True and authz["identifier"]["value"] == name
    assert [c["type"] for c in authz["challenges"]] == ["dns-01"]
    url = authz["challenges"][0]["url"]
    for other in ("http-01", "tls-alpn-01", "dns-02", "DNS-01"):
        answer = client.respond({"url": url.replace("dns-01", other)})
        assert answer.status in (404, 409)
        assert client.get(url.replace("dns-01", other)).status == 404
    assert client.get(authz["url"]).json["status"] == "pending"


def test_a_response_starts_the_validation_once(client, workers):
    (authz,) = client.authorizations(client.new_order([fresh()]))
    workers.jobs("q:val")
    challenge = pick(authz, "http-01")
    answer = client.respond(challenge, {"keyAuthorization": "ignored", "x": 1})
    assert answer.status == 200 and answer.json == {**challenge, "status": "processing"}
    assert answer.links("up") == [authz["url"]] and answer.retry_after and answer.location == challenge["url"]
    assert authz["url"].split("/")[-1] in workers.jobs("q:val")
    again = client.respond(challenge)
    assert again.status == 200 and again.json["status"] == "processing" and workers.jobs("q:val") == ""
    read = client.get(authz["url"])
    assert read.json["status"] == "pending" and read.retry_after and len(read.json["challenges"]) == 3
    assert [c["status"] for c in read.json["challenges"] if c["type"] == "http-01"] == ["processing"]
    other = client.respond(pick(authz, "dns-01"))
    assert other.status == 409 and other.problem == "malformed"


def test_success_is_shown_everywhere(client, workers):
    order = client.new_order([fresh()])
    (authz,) = client.authorizations(order)
    client.respond(pick(authz, "http-01"))
    workers.validate(authz["url"])
    read = client.get(authz["url"])
    assert read.json["status"] == "valid" and read.retry_after is None
    (challenge,) = read.json["challenges"]
    assert challenge["type"] == "http-01" and challenge["status"] == "valid" and "validated" in challenge
    assert client.get(pick(authz, "dns-01")["url"]).status == 404
    assert client.respond(challenge).json["status"] == "valid"
    assert client.get(order.location).json["status"] == "ready"


def test_failure_is_shown_everywhere(client, workers):
    name = fresh()
    order = client.new_order([name, fresh()])
    authz = next(a for a in client.authorizations(order) if a["identifier"]["value"] == name)
    client.respond(pick(authz, "http-01"))
    workers.validate(authz["url"], FAILED)
    read = client.get(authz["url"]).json
    assert read["status"] == "invalid"
    (challenge,) = read["challenges"]
    assert challenge["status"] == "invalid" and challenge["error"] == json.loads(FAILED)
    failed = client.get(order.location).json
    assert failed["status"] == "invalid"
    assert failed["error"]["subproblems"][0]["identifier"]["value"] == name
    assert client.finalize(order, make_csr([name])).problem == "orderNotReady"


def test_an_attempt_that_is_repeated_shows_why(client, workers):
    (authz,) = client.authorizations(client.new_order([fresh()]))
    challenge = pick(authz, "http-01")
    client.respond(challenge)
    workers.validate(authz["url"], FAILED, outcome=2)
    answer = client.get(challenge["url"])
    assert answer.json["status"] == "processing" and answer.json["error"] == json.loads(FAILED) and answer.retry_after


def test_valid_authorizations_are_reused(client, workers):
    name = fresh()
    first = make_ready(client, workers, [name])
    second = client.new_order([name])
    assert second.json["status"] == "ready" and second.json["authorizations"] == first.json["authorizations"]
    mixed = client.new_order([name, f"*.{name}"])
    assert mixed.json["status"] == "pending" and len(set(mixed.json["authorizations"])) == 2


def test_a_deactivated_authorization_spoils_its_orders(client, workers):
    name = fresh()
    order = make_ready(client, workers, [name])
    url = order.json["authorizations"][0]
    answer = client.deactivate_authorization(url)
    assert answer.status == 200 and answer.json["status"] == "deactivated"
    assert client.get(order.location).json["status"] == "invalid"
    assert client.deactivate_authorization(url).problem == "malformed"
    assert client.new_order([name]).json["status"] == "pending"
    (pending,) = client.authorizations(client.new_order([fresh()]))
    client.deactivate_authorization(pending["url"])
    assert client.respond(pending["challenges"][0]).status == 409


# ---- finalize ----

def test_finalize_before_ready_is_refused(client):
    name = fresh()
    order = client.new_order([name])
    answer = client.finalize(order, make_csr([name]))
    assert (answer.status, answer.problem) == (403, "orderNotReady")
    assert client.get(order.location).json["status"] == "pending"


def test_csrs_that_do_not_fit_leave_the_order_ready(client, workers):
    name = fresh()
    order = make_ready(client, workers, [name])
    key = leaf_key()
    ca = [(x509.BasicConstraints(ca=True, path_length=None), True)]
    bad = [make_csr([fresh()], key), make_csr([name, fresh()], key), make_csr([f"*.{name}"], key), make_csr([], key),
           make_csr([name], key, common_name=fresh()), make_csr([name], key, extensions=ca),
           make_csr([name], client.key.private), make_csr([name], Key("RS256", bits=1024).private),
           make_csr([name], leaf_key("EdDSA")), make_csr([name], leaf_key("ES512")), make_csr([name], key) + b"\0", b"", b"x",
           "not!base64", make_csr([name], key)[:-1] + b"\0"]
    for csr in bad:
        answer = client.finalize(order, csr)
        assert (answer.status, answer.problem) == (400, "badCSR"), answer
    for payload in ({}, {"csr": None}, {"csr": 7}):
        assert client.post(order.json["finalize"], payload).problem == "malformed"
    assert client.get(order.location).json["status"] == "ready"


def test_another_accounts_key_is_not_certified(client, new_client, workers):
    name = fresh()
    order = make_ready(client, workers, [name])
    assert client.finalize(order, make_csr([name], new_client().key.private)).problem == "badCSR"


@pytest.mark.parametrize("common_name", [None, "first"])
def test_the_flow_ends_with_a_certificate(client, workers, common_name):
    names = [fresh(), fresh()]
    order = make_ready(client, workers, names)
    workers.jobs("q:sign")
    key = leaf_key()
    answer = client.finalize(order, make_csr(names[::-1], key, common_name=common_name and names[0].upper()))
    assert answer.status == 200 and answer.json["status"] == "processing" and answer.retry_after
    assert answer.location == order.location and "certificate" not in answer.json
    assert order.location.split("/")[-1] in workers.jobs("q:sign")
    again = client.finalize(order, make_csr(names, key))
    assert (again.status, again.problem) == (403, "orderNotReady") and workers.jobs("q:sign") == ""
    assert client.get(order.location.replace("/order/", "/certificate/")).status == 404
    read = client.get(order.location)
    assert read.json["status"] == "processing" and read.retry_after
    cert = workers.issue(order.location)
    done = client.get(order.location)
    assert done.json["status"] == "valid" and done.retry_after is None
    assert done.json["certificate"] == order.location.replace("/order/", "/certificate/")
    answer = client.download(done)
    assert answer.type == "application/pem-certificate-chain" and answer.links("index")
    leaf, issuer = certificates(answer)
    assert leaf == cert and issuer == workers.issuer
    assert client.finalize(order, make_csr(names, key)).problem == "orderNotReady"
    assert client.get(order.location).json["status"] == "valid"


def test_formats_of_a_certificate(client, workers):
    order, cert = make_valid(client, workers, [fresh()])
    for accept in (None, "*/*", "application/*", "application/pem-certificate-chain", "text/html, */*;q=0.1"):
        assert client.download(order, accept).type == "application/pem-certificate-chain"
    der = client.download(order, "application/pkix-cert")
    assert der.type == "application/pkix-cert" and der.body == cert.public_bytes(serialization.Encoding.DER)
    answer = client.download(order, "text/html")
    assert (answer.status, answer.problem) == (406, "malformed")


def test_alternate_chains_are_linked_and_served(client, new_client, workers):
    order, cert = make_valid(client, workers, [fresh()])
    first = order.json["certificate"]
    urls = [first, f"{first}/1", f"{first}/2"]
    for i, url in enumerate(urls):
        answer = client.get(url)
        assert answer.status == 200 and answer.type == "application/pem-certificate-chain", answer
        assert answer.links("alternate") == urls[:i] + urls[i + 1:]
        assert certificates(answer) == [cert] + (i + 1) * [workers.issuer]
        assert new_client().get(url).status == 404
    assert client.get(urls[1], headers={"Accept": "application/pkix-cert"}).links("alternate") == []
    for wrong in ("0", "3", "99", "100", "01", "1x", "x", "-1", "+1", "1/", " 1", "4294967297"):
        assert client.get(f"{first}/{wrong}").status == 404, wrong
    workers("UPDATE assay.issuers SET alternates = '{}'")
    try:
        assert client.get(first).links("alternate") == [] and client.get(urls[1]).status == 404
    finally:
        pem = workers.issuer.public_bytes(serialization.Encoding.PEM).decode()
        workers("UPDATE assay.issuers SET alternates = %s", [2 * pem, 3 * pem])


def test_a_stop_of_issuance_turns_away_orders_and_nothing_else(client, workers):
    valid, cert = make_valid(client, workers, [fresh()])
    name = fresh()
    ready = make_ready(client, workers, [name])
    pending = client.new_order([fresh()])
    csr = make_csr([name])
    workers("SELECT assay.admin_issuance_stop('test')")
    try:
        for answer in (client.new_order([fresh()]), client.finalize(ready, csr)):
            assert (answer.status, answer.problem) == (503, "serverInternal")
            assert int(answer.retry_after) == 300 and answer.json["status"] == 503
        assert client.get(ready.location).json["status"] == "ready"
        authz, = client.authorizations(pending)
        assert client.respond(pick(authz, "dns-01")).status == 200
        workers.validate(authz["url"])
        assert client.get(pending.location).json["status"] == "ready"
        assert certificates(client.download(valid))[0] == cert
        assert client.revoke(cert).status == 200
    finally:
        workers("SELECT assay.admin_issuance_start('test')")
    assert client.new_order([fresh()]).status == 201
    assert client.finalize(ready, csr).status == 200


def test_a_key_type_that_the_orders_profile_does_not_take_leaves_it_ready(client, workers):
    name = fresh()
    order = make_ready(client, workers, [name], more={"profile": "short"})
    answer = client.finalize(order, make_csr([name], leaf_key("ES384")))
    assert (answer.status, answer.problem) == (400, "badCSR")
    assert client.get(order.location).json["status"] == "ready"
    assert client.finalize(order, make_csr([name], leaf_key("ES256"))).status == 200


def test_parallel_finalizes_have_one_winner(client, new_client, workers):
    name = fresh()
    order = make_ready(client, workers, [name])
    twins = [new_client(client.key) for _ in range(8)]
    csrs = [make_csr([name]) for _ in twins]
    answers = [None] * len(twins)

    def finalize(i):
        answers[i] = twins[i].finalize(order, csrs[i])

    threads = [threading.Thread(target=finalize, args=(i,)) for i in range(len(twins))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(a.status for a in answers) == [200] + [403] * 7
    assert client.get(order.location).json["status"] == "processing"
    workers.issue(order.location)
    assert client.get(order.location).json["status"] == "valid"


# ---- revokeCert (section 7.6) ----

def test_the_account_revokes_its_certificate(client, workers):
    _, cert = make_valid(client, workers, [fresh()])
    for reason in (2, 6, 7, 8, 9, 10, 11, -1):
        assert client.revoke(cert, reason).problem == "badRevocationReason"
    answer = client.revoke(cert, 4)
    assert answer.status == 200 and answer.body == b"" and answer.nonce
    again = client.revoke(cert)
    assert (again.status, again.problem) == (400, "alreadyRevoked")
    assert reason_of(workers, cert) == 4


def reason_of(workers, cert):
    ((reason,),) = workers("SELECT reason FROM assay.certificates WHERE der = %s",
                           cert.public_bytes(serialization.Encoding.DER))
    return reason


def test_the_certificates_key_revokes_it_and_is_blocked(client, new_client, workers):
    key = Key()
    name = fresh()
    _, cert = make_valid(client, workers, [name], key.private)
    stranger = new_client(account=False)
    assert stranger.revoke(cert, key=Key(), kid=None).problem == "unauthorized"
    assert stranger.revoke(cert, key=Key(), kid=None).status == 403
    assert stranger.revoke(cert, 4, key=key, kid=None).status == 200
    assert reason_of(workers, cert) == 1
    assert stranger.revoke(cert, key=key, kid=None).problem == "alreadyRevoked"
    order = make_ready(client, workers, [name])
    assert client.finalize(order, make_csr([name], key.private)).problem == "badCSR"


def test_an_expired_certificate_is_not_revoked(client, new_client, workers):
    key = Key()
    _, cert = make_valid(client, workers, [fresh()], key.private)
    workers("SET session_replication_role = replica")
    workers("UPDATE assay.certificates SET not_after = now() WHERE der = %s", cert.public_bytes(serialization.Encoding.DER))
    workers("RESET session_replication_role")
    answer = client.revoke(cert, 4)
    assert (answer.status, answer.problem) == (403, "unauthorized") and "expired" in answer.json["detail"]
    assert client.revoke(cert, key=key, kid=None).status == 403
    assert new_client().revoke(cert).problem == "unauthorized"
    assert reason_of(workers, cert) is None
    name = fresh()
    order = make_ready(client, workers, [name])
    assert client.finalize(order, make_csr([name], key.private)).problem == "badCSR", "its key was shown to us"


def test_an_account_key_is_no_certificate_key(client, workers):
    _, cert = make_valid(client, workers, [fresh()])
    assert client.revoke(cert, kid=None).problem == "unauthorized"


def test_an_account_with_every_name_may_revoke(client, new_client, workers):
    names = [fresh(), fresh()]
    _, cert = make_valid(client, workers, names)
    other = new_client()
    assert (other.revoke(cert).status, other.revoke(cert).problem) == (403, "unauthorized")
    make_ready(other, workers, names[:1])
    assert other.revoke(cert).problem == "unauthorized"
    make_ready(other, workers, names[1:])
    assert other.revoke(cert, 1).status == 200
    assert reason_of(workers, cert) == 5


def test_certificates_of_others_cannot_be_revoked(client, workers):
    foreign = workers.issuer
    answer = client.revoke(foreign)
    assert (answer.status, answer.problem) == (404, "malformed")
    _, cert = make_valid(client, workers, [fresh()])
    der = bytearray(cert.public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1
    assert client.revoke(bytes(der)).status in (400, 404)
    for payload in ({}, {"certificate": 7}, {"certificate": "MAA="}, {"certificate": "MAA"}):
        assert client.post(client.directory["revokeCert"], payload).problem == "malformed"
    assert cert.signature_hash_algorithm.name == hashes.SHA256.name


def test_a_forged_signature_revokes_nothing(client, workers):
    _, cert = make_valid(client, workers, [fresh()])
    answer = client.revoke(cert, signature=b"\1" * 64)
    assert answer.status == 400 and answer.problem == "malformed"
    assert reason_of(workers, cert) is None


def test_a_suffix_list_that_is_none_is_not_started_with(start, conf):
    conf.write(extra="[orders]\npublic_suffixes = /dev/null")
    program = start("assay-order", fails=True)
    assert program.process.returncode == 1
    assert "public suffix list cannot be read" in program.log()


def test_a_suffix_list_that_is_none_is_not_taken_over(start, conf):
    conf.write()
    program = start("assay-order")
    program.errors_expected = True
    conf.write(extra="[orders]\npublic_suffixes = /dev/null")
    program.reload()
    wait_for(lambda: "the old one stays" in program.log())
