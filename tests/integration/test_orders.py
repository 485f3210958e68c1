"""Orders: identifiers, reuse of authorizations, CSRs, and who wins when everybody finalizes at once."""

import datetime
import ipaddress
from concurrent.futures import ThreadPoolExecutor

import pytest
from acme_client import Key, certificates, leaf_key, make_csr, pick
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from steps import at_once_from_twins, fresh, issue, prove, publish, ready_order, twin, uuid_of


def assert_problem(answer, status, kind):
    assert (answer.status, answer.problem) == (status, kind), answer


def dns_names(certificate):
    return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)


# --- newOrder --------------------------------------------------------------------------------------------------------


def test_a_new_order_shows_everything_and_is_canonical(client):
    name = fresh()
    answer = client.new_order([name.upper(), name, "*." + name])
    assert answer.status == 201 and answer.retry_after is None
    order = answer.json
    assert set(order) == {"status", "expires", "identifiers", "profile", "authorizations", "finalize"}
    assert (order["status"], order["profile"], order["finalize"]) == ("pending", "default", answer.location + "/finalize")
    assert order["identifiers"] == [{"type": "dns", "value": n} for n in ("*." + name, name)]
    wildcard, base = client.authorizations(order)
    assert wildcard["wildcard"] is True and wildcard["identifier"]["value"] == name
    assert [c["type"] for c in wildcard["challenges"]] == ["dns-01"]
    assert "wildcard" not in base and base["identifier"]["value"] == name
    assert {c["type"] for c in base["challenges"]} == {"http-01", "dns-01", "tls-alpn-01"}
    tokens = [c["token"] for c in wildcard["challenges"] + base["challenges"]]
    assert len(set(tokens)) == 4 and all(len(t) == 43 for t in tokens)
    assert client.get(answer.location).json == order


REFUSED = {
    "no identifiers": ([], "malformed"),
    "an address as a dns name": (["192.0.2.1"], "rejectedIdentifier"),
    "an identifier of type ip": ([{"type": "ip", "value": "192.0.2.1"}], "unsupportedIdentifier"),
    "a public suffix": (["co.uk"], "rejectedIdentifier"),
    "a wildcard of a public suffix": (["*.co.uk"], "rejectedIdentifier"),
    "a wildcard in the middle": (["a.*.example.test"], "rejectedIdentifier"),
    "an underscore": (["a_b.example.test"], "rejectedIdentifier"),
    "a trailing dot": (["example.test."], "rejectedIdentifier"),
    "a name that is not ASCII": (["ä.example.test"], "rejectedIdentifier"),
    "a NUL": (["a\0.example.test"], "malformed"),
    "a single label": (["localhost"], "rejectedIdentifier"),
    "an identifier that is text": ([{"type": "dns"}], "malformed"),
    "more than 100 names": ([f"n{i}.example.test" for i in range(101)], "malformed"),
    "an unknown profile": (["a.example.test"], "invalidProfile"),
    "a notAfter too late": (["a.example.test"], "malformed"),
    "a notBefore that is no time": (["a.example.test"], "malformed"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_no_order_with(client, why):
    identifiers, kind = REFUSED[why]
    more = {"an unknown profile": {"profile": "nobody"}, "a notAfter too late": {"notAfter": "2099-01-01T00:00:00Z"},
            "a notBefore that is no time": {"notBefore": "tomorrow"}}.get(why, {})
    assert_problem(client.new_order(identifiers, more=more), 400, kind)


def test_each_bad_name_of_an_order_is_named(client):
    answer = client.new_order([fresh(), "localhost", {"type": "ip", "value": "::1"}, "a_b.example.test"])
    assert_problem(answer, 400, "compound")
    assert [(s["type"].rsplit(":", 1)[1], s.get("identifier", {}).get("value")) for s in answer.json["subproblems"]] == [
        ("rejectedIdentifier", "localhost"), ("unsupportedIdentifier", None), ("rejectedIdentifier", "a_b.example.test")]


def test_an_order_of_100_names(client, dns):
    base = fresh("hundred")
    names = [f"n{i:02}.{base}" for i in range(100)]
    order = client.new_order(names)
    assert order.status == 201 and len(set(order.json["authorizations"])) == 100

    def answer_challenge(i):
        other = twin(client)
        for url in order.json["authorizations"][i::8]:
            authz = other.get(url).json
            publish(dns, other, authz, pick(authz, "dns-01"))
            assert other.respond(pick(authz, "dns-01")).status == 200
        other.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(answer_challenge, range(8)))
    assert client.wait(order.location, "ready").json["status"] == "ready"
    _, (leaf, *_) = finish(client, order, names)
    assert sorted(dns_names(leaf)) == names


def finish(client, order, names, key=None):
    answer = client.finalize(order, make_csr(names, key))
    assert answer.status == 200, answer
    valid = client.wait(order.location, "valid")
    assert valid.json["status"] == "valid", valid
    return valid, certificates(client.download(valid))


def test_a_wildcard_and_its_base_name_share_one_certificate(client, dns):
    name = fresh()
    _, (leaf, *_) = issue(client, dns, [name, "*." + name])
    assert sorted(dns_names(leaf)) == ["*." + name, name]


# --- authorizations --------------------------------------------------------------------------------------------------


def test_a_valid_authorization_serves_the_next_order_until_it_is_deactivated(client, dns):
    name = fresh()
    first = ready_order(client, dns, [name])
    (authz,) = first.json["authorizations"]
    second = client.new_order([name])
    assert (second.status, second.json["status"], second.json["authorizations"]) == (201, "ready", [authz])
    assert client.new_order([name, fresh()]).json["status"] == "pending"
    finish(client, second, [name])
    gone = client.deactivate_authorization(authz)
    assert (gone.status, gone.json["status"]) == (200, "deactivated")
    assert client.get(first.location).json["status"] == "invalid"
    assert client.get(first.location).json["error"]["type"].endswith(":unauthorized")
    assert client.get(second.location).json["status"] == "valid"
    assert_problem(client.finalize(first, make_csr([name])), 403, "orderNotReady")
    assert_problem(client.deactivate_authorization(authz), 400, "malformed")
    third = client.new_order([name])
    assert third.json["status"] == "pending" and third.json["authorizations"] != [authz]


def test_a_base_name_does_not_authorize_its_wildcard_nor_the_other_way_round(client, dns):
    name, other = fresh(), fresh()
    ready_order(client, dns, [name])
    ready_order(client, dns, ["*." + other])
    assert client.new_order(["*." + name]).json["status"] == "pending"
    assert client.new_order([other]).json["status"] == "pending"
    assert client.new_order(["a." + other]).json["status"] == "pending"


def test_20_parallel_responses_to_one_challenge_are_one_validation(client, dns, db):
    order = client.new_order([fresh()])
    (authz,) = client.authorizations(order)
    challenge = pick(authz, "dns-01")
    publish(dns, client, authz, challenge)
    answers = at_once_from_twins(client, 20, lambda c, i: c.respond(challenge))
    assert [a.status for a in answers] == [200] * 20
    for answer in answers:
        assert answer.links("up") == [authz["url"]] and answer.json["status"] in ("processing", "valid")
        assert (answer.retry_after is not None) == (answer.json["status"] == "processing")
    assert client.wait(order.location, "ready").json["status"] == "ready"
    assert db.rows("select attempt, outcome from assay.validations where authz_id = %s", uuid_of(authz["url"])) == [(1, 0)]


def test_of_parallel_responses_to_different_challenges_one_kind_is_taken(client, dns):
    (authz,) = client.authorizations(client.new_order([fresh()]))
    publish(dns, client, authz, pick(authz, "dns-01"))
    answers = at_once_from_twins(client, 12, lambda c, i: c.respond(authz["challenges"][i % 3]))
    taken = {a.json["type"] for a in answers if a.status == 200}
    assert len(taken) == 1 and sum(a.status == 200 for a in answers) == 4
    assert {(a.status, a.problem) for a in answers if a.status != 200} == {(409, "malformed")}
    client.deactivate_authorization(authz["url"])


# --- finalize --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ready(client, dns):
    """A ready order of two names: every refusal has to leave it so."""
    names = sorted([fresh("finalize"), fresh("finalize")])
    return names, ready_order(client, dns, names)


def with_extension(names, extension):
    return make_csr(names, extensions=[(extension, False)])


def with_sans(*sans):
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    builder = builder.add_extension(x509.SubjectAlternativeName(list(sans)), False)
    return builder.sign(leaf_key(), hashes.SHA256()).public_bytes(Encoding.DER)


def usage(**members):
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{name: members.get(name, False) for name in names})


def spoilt(csr):
    return csr[:-1] + bytes([csr[-1] ^ 1])


BAD_CSRS = {
    "a name missing": lambda n, c: make_csr(n[:1]),
    "a name too many": lambda n, c: make_csr(n + ["extra.example.test"]),
    "another name": lambda n, c: make_csr([n[0], "other.example.test"]),
    "another name in the subject": lambda n, c: make_csr(n, common_name="other.example.test"),
    "no names": lambda n, c: make_csr([]),
    "an address beside the names": lambda n, c: with_sans(
        *map(x509.DNSName, n), x509.IPAddress(ipaddress.ip_address("192.0.2.1"))),
    "a mail address beside the names": lambda n, c: with_sans(*map(x509.DNSName, n), x509.RFC822Name("a@example.test")),
    "CA:TRUE": lambda n, c: with_extension(n, x509.BasicConstraints(True, None)),
    "the right to sign certificates": lambda n, c: with_extension(n, usage(digital_signature=True, key_cert_sign=True)),
    "must-staple": lambda n, c: with_extension(n, x509.TLSFeature([x509.TLSFeatureType.status_request])),
    "an RSA key of 1024 bits": lambda n, c: make_csr(n, rsa.generate_private_key(65537, 1024)),
    "an RSA key of 2056 bits": lambda n, c: make_csr(n, rsa.generate_private_key(65537, 2056)),
    "an RSA exponent of 3": lambda n, c: make_csr(n, rsa.generate_private_key(3, 2048)),
    "a P-224 key": lambda n, c: make_csr(n, ec.generate_private_key(ec.SECP224R1())),
    "a secp256k1 key": lambda n, c: make_csr(n, ec.generate_private_key(ec.SECP256K1())),
    "a P-521 key, which no profile takes": lambda n, c: make_csr(n, ec.generate_private_key(ec.SECP521R1())),
    "an Ed25519 key": lambda n, c: make_csr(n, ed25519.Ed25519PrivateKey.generate()),
    "the account's own key": lambda n, c: make_csr(n, c.key.private),
    "a spoilt signature": lambda n, c: spoilt(make_csr(n)),
    "a byte too many": lambda n, c: make_csr(n) + b"\0",
    "a byte missing": lambda n, c: make_csr(n)[:-1],
    "PEM": lambda n, c: "-----BEGIN CERTIFICATE REQUEST-----",
    "nothing": lambda n, c: "",
}


@pytest.mark.parametrize("what", BAD_CSRS)
def test_no_certificate_for_a_csr_with(client, ready, what):
    names, order = ready
    assert_problem(client.finalize(order, BAD_CSRS[what](names, client)), 400, "badCSR")
    assert client.get(order.location).json["status"] == "ready"


def test_no_certificate_for_the_key_of_another_account(client, new_client, ready):
    names, order = ready
    assert_problem(client.finalize(order, make_csr(names, new_client(Key("RS256")).key.private)), 400, "badCSR")
    assert client.get(order.location).json["status"] == "ready"


def test_a_payload_without_a_csr_is_malformed(client, ready):
    names, order = ready
    for payload in ({}, {"csr": None}, {"csr": 1}, b"", b"[]"):
        assert_problem(client.post(order.json["finalize"], payload), 400, "malformed")


def test_an_order_is_finalized_when_ready_and_once(client, dns):
    name = fresh()
    order = client.new_order([name])
    assert_problem(client.finalize(order, make_csr([name])), 403, "orderNotReady")
    assert_problem(client.get(order.location.replace("/order/", "/certificate/")), 404, "malformed")
    prove(client, dns, order)
    assert client.wait(order.location, "ready").json["status"] == "ready"
    valid, _ = finish(client, order, [name])
    assert_problem(client.finalize(order, make_csr([name])), 403, "orderNotReady")
    assert client.get(order.location).json == valid.json


def test_of_50_parallel_finalizes_exactly_one_makes_a_certificate(client, dns, db):
    name = fresh()
    order = ready_order(client, dns, [name])
    csrs = [make_csr([name]) for _ in range(50)]
    answers = at_once_from_twins(client, 50, lambda c, i: c.finalize(order, csrs[i]))
    assert sorted(a.status for a in answers) == [200] + [403] * 49
    assert {a.problem for a in answers if a.status == 403} == {"orderNotReady"}
    winner = next(a for a in answers if a.status == 200)
    assert winner.location == order.location
    assert client.wait(order.location, "valid").json["status"] == "valid"
    identity = uuid_of(order.location)
    assert db.one("select count(*) from assay.certificates where order_id = %s and der is not null", identity) == 1
    assert db.one("select count(*) from assay.serials where order_id = %s", identity) == 1
    assert db.one("""select count(*) from assay.audit_log a join assay.serials s on a.object = encode(s.serial, 'hex')
        where a.action = 'certificate.issue' and s.order_id = %s""", identity) == 1


def test_the_times_that_a_client_asks_for_are_those_it_gets(client, dns):
    name = fresh()
    now = datetime.datetime.utcnow().replace(microsecond=0)
    begin, end = now - datetime.timedelta(hours=3), now + datetime.timedelta(days=7)
    more = {"notBefore": begin.isoformat() + "Z", "notAfter": end.isoformat() + "Z"}
    valid, (leaf, *_) = issue(client, dns, [name], more=more)
    assert (leaf.not_valid_before, leaf.not_valid_after) == (begin, end)
    assert {k: valid.json[k] for k in more} == more
