"""assay-account over its FastCGI socket: accounts, their orders, key changes (RFC 8555 sections 7.1.2, 7.3)."""

import pytest

from acme_over_fcgi import acme_client, id_of
from acme_client import DROP, Key
from conftest import BASE

TERMS = "https://acme.example.org/terms"


def test_a_new_account_is_created_once(new_client):
    client = new_client(account=False)
    made = client.new_account(contact=["mailto:a@example.org"])
    assert made.status == 201 and made.type == "application/json"
    assert made.location.startswith(f"{BASE}/acme/account/") and made.nonce
    assert made.headers["Cache-Control"] == "no-store"
    assert made.links("index") == [f"{BASE}/directory"] and made.links("terms-of-service") == [TERMS]
    assert made.json == {"status": "valid", "contact": ["mailto:a@example.org"], "termsOfServiceAgreed": True,
                         "orders": f"{made.location}/orders"}
    again = client.new_account(contact=["mailto:other@example.org"])
    assert again.status == 200 and again.location == made.location and again.json == made.json


@pytest.mark.parametrize("payload", [{}, {"termsOfServiceAgreed": False}, {"contact": ["nonsense"]}, {"contact": 7},
                                     {"onlyReturnExisting": True}, {"onlyReturnExisting": "x"}])
def test_a_known_key_gets_its_account_whatever_the_request_says(client, payload):
    answer = client.post(client.directory["newAccount"], payload, kid=None)
    assert answer.status == 200 and answer.location == client.kid


def test_an_unknown_key_has_no_existing_account(new_client):
    client = new_client(account=False)
    for payload in ({"onlyReturnExisting": True}, {"onlyReturnExisting": True, "termsOfServiceAgreed": True}):
        answer = client.post(client.directory["newAccount"], payload, kid=None)
        assert (answer.status, answer.problem) == (400, "accountDoesNotExist")


def test_the_terms_must_be_agreed_to(new_client):
    client = new_client(account=False)
    for payload in ({}, {"termsOfServiceAgreed": False}):
        answer = client.post(client.directory["newAccount"], payload, kid=None)
        assert (answer.status, answer.problem) == (400, "malformed")
        assert "must agree to terms of service" in answer.detail
        assert answer.links("terms-of-service") == [TERMS]
    assert client.post(client.directory["newAccount"], {"onlyReturnExisting": True}, kid=None).status == 400


@pytest.mark.parametrize("contact,problem", [
    (["mailto:a@example.org?subject=x"], "invalidContact"), (["mailto:a@example.org,b@example.org"], "invalidContact"),
    (["mailto:"], "invalidContact"), ([""], "invalidContact"), (["a@example.org"], "invalidContact"),
    (["tel:+123"], "unsupportedContact"), (["https://example.org"], "unsupportedContact"),
    ("mailto:a@example.org", "malformed"), ([7], "malformed"), (["mailto:a@example.org"] * 11, "malformed")])
def test_bad_contacts_are_refused(new_client, contact, problem):
    client = new_client(account=False)
    answer = client.new_account(contact=contact)
    assert (answer.status, answer.problem) == (400, problem)
    assert client.post(client.directory["newAccount"], {"onlyReturnExisting": True}, kid=None).status == 400


def test_members_that_clients_must_not_set_are_ignored(new_client):
    client = new_client(account=False)
    answer = client.new_account(more={"id": 7, "status": "revoked", "key": {}, "orders": "x", "initialIp": "x"})
    assert answer.status == 201 and answer.json["status"] == "valid"


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512", "RS256", "EdDSA"])
def test_every_kind_of_key_works(new_client, alg):
    client = new_client(Key(alg))
    assert client.get(client.kid).json["status"] == "valid"


def test_new_account_wants_a_jwk_and_the_rest_a_kid(client):
    assert client.post(client.directory["newAccount"], {"termsOfServiceAgreed": True}).problem == "malformed"
    assert client.get(client.kid, kid=None).problem == "malformed"


def test_an_account_is_read_by_an_empty_payload_or_object(client):
    for payload in (b"", {}):
        answer = client.post(client.kid, payload)
        assert answer.status == 200 and answer.json["status"] == "valid" and answer.json["orders"] == f"{client.kid}/orders"


def test_contacts_are_replaced(client):
    assert client.update_account({"contact": ["mailto:b@example.org"]}).json["contact"] == ["mailto:b@example.org"]
    assert client.update_account({"status": "valid"}).json["contact"] == ["mailto:b@example.org"]
    assert client.update_account({"contact": ["nonsense"]}).problem == "invalidContact"
    assert client.get(client.kid).json["contact"] == ["mailto:b@example.org"]
    assert client.update_account({"contact": []}).json["contact"] == []


def test_updates_that_clients_may_not_make_are_ignored(client):
    before = client.get(client.kid).json
    answer = client.update_account({"status": "revoked", "orders": "x", "termsOfServiceAgreed": False, "key": {}, "x": 1})
    assert answer.status == 200 and answer.json == before


def test_another_account_looks_like_an_unknown_one(client, new_client):
    other = new_client()
    foreign = client.get(other.kid)
    unknown = client.get(f"{BASE}/acme/account/AZqmDQAAcACAAAAAAAAAAQ")
    nonsense = client.get(f"{BASE}/acme/account/1")
    assert foreign.status == unknown.status == nonsense.status == 404
    assert foreign.json == unknown.json == nonsense.json and foreign.problem == "malformed"
    assert client.get(f"{other.kid}/orders").json == foreign.json
    assert client.post(other.kid, {"status": "deactivated"}).status == 404
    assert other.get(other.kid).json["status"] == "valid"


def test_a_kid_that_nobody_has_is_an_account_that_does_not_exist(client):
    answer = client.get(client.kid, kid=f"{BASE}/acme/account/AZqmDQAAcACAAAAAAAAAAQ")
    assert (answer.status, answer.problem) == (400, "accountDoesNotExist")


def test_another_accounts_kid_does_not_verify(client, new_client):
    answer = client.get(client.kid, kid=new_client().kid)
    assert answer.status in (400, 403) and answer.problem in ("malformed", "unauthorized")


def test_a_deactivated_account_is_refused_everywhere(client):
    order = client.new_order(["a.test"]).location
    answer = client.deactivate_account()
    assert answer.status == 200 and answer.json["status"] == "deactivated"
    for answer in (client.get(client.kid), client.update_account({"contact": []}), client.new_order(["b.test"]),
                   client.get(order), client.get(f"{client.kid}/orders"), client.key_change(Key()),
                   client.deactivate_account(), client.new_account()):
        assert (answer.status, answer.problem) == (401, "unauthorized"), answer


def test_the_orders_list_has_pages(client):
    made = [client.new_order([f"n{i}.test"]).location for i in range(230)]
    seen, url, pages = [], client.get(client.kid).json["orders"], 0
    while url:
        answer = client.get(url)
        assert answer.status == 200
        seen += answer.json["orders"]
        pages += 1
        url = (answer.links("next") + [None])[0]
    # Newest first: by id, which is by time except within one millisecond.
    assert sorted(seen) == sorted(made) and pages == 3
    assert seen == sorted(seen, key=lambda order: id_of(order).bytes, reverse=True)


def test_an_account_without_orders_has_an_empty_list(client):
    answer = client.get(f"{client.kid}/orders")
    assert answer.json == {"orders": []} and answer.links("next") == []


@pytest.mark.parametrize("query", ["?cursor=", "?cursor=x", "?page=2", "?cursor=AZqmDQAAcACAAAAAAAAAAQ&x", "?x"])
def test_cursors_that_are_none_are_malformed(client, query):
    answer = client.get(f"{client.kid}/orders{query}")
    assert (answer.status, answer.problem) == (400, "malformed")


def test_a_key_change_keeps_the_account(client, new_client):
    old, new = client.key, Key("ES384")
    kid = client.kid
    before = client.get(kid).json
    answer = client.key_change(new)
    assert answer.status == 200 and answer.json == before
    assert client.get(kid).json == before
    assert client.get(kid, key=old).status in (400, 401, 403)
    assert new_client(new).kid == kid
    assert client.post(client.directory["newAccount"], {"onlyReturnExisting": True}, kid=None, key=old).status == 400
    assert client.key_change(old).status == 200 and client.get(kid).status == 200


def test_a_key_that_is_in_use_is_a_conflict(client, new_client):
    other = new_client()
    for key, owner in ((other.key, other.kid), (client.key, client.kid)):
        answer = client.key_change(key)
        assert answer.status == 409 and answer.location == owner
    assert client.get(client.kid).status == 200


def key_changes():
    stranger = Key()
    yield {"inner_header": {"nonce": "AAAA"}}, "malformed"
    yield {"inner_header": {"url": f"{BASE}/acme/key-change2"}}, "malformed"
    yield {"inner_header": {"jwk": DROP}}, "malformed"
    yield {"inner_header": {"jwk": DROP, "kid": f"{BASE}/acme/account/AZqmDQAAcACAAAAAAAAAAQ"}}, "malformed"
    yield {"inner_header": {"alg": "HS256"}}, "badSignatureAlgorithm"
    yield {"inner_header": {"alg": "RS256"}}, "badSignatureAlgorithm"
    yield {"inner_signer": stranger}, "malformed"
    yield {"inner_payload": {"account": f"{BASE}/acme/account/AZqmDQAAcACAAAAAAAAAAQ"}}, "malformed"
    yield {"inner_payload": {"account": DROP}}, "malformed"
    yield {"inner_payload": {"oldKey": stranger.jwk}}, "malformed"
    yield {"inner_payload": {"oldKey": DROP}}, "malformed"
    yield {"mutate_inner": lambda jws: {**jws, "header": {}}}, "malformed"
    yield {"mutate_inner": lambda jws: {"account": "x"}}, "malformed"


@pytest.mark.parametrize("options,problem", list(key_changes()))
def test_key_changes_that_prove_nothing_are_refused(client, options, problem):
    answer = client.key_change(Key(), **options)
    assert answer.status == 400 and answer.problem == problem, answer
    assert client.get(client.kid).status == 200


def test_a_weak_new_key_is_refused(client):
    answer = client.key_change(Key("RS256", bits=1024))
    assert (answer.status, answer.problem) == (400, "badPublicKey")


def test_a_blocked_key_gets_no_account(new_client, workers):
    import hashlib

    from cryptography.hazmat.primitives import serialization

    key = Key()
    spki = key.private.public_key().public_bytes(serialization.Encoding.DER,
                                                 serialization.PublicFormat.SubjectPublicKeyInfo)
    workers("INSERT INTO assay.blocked_keys (spki_sha256, reason) VALUES (%s, 'test')", hashlib.sha256(spki).digest())
    assert new_client(key, account=False).new_account().problem == "badPublicKey"
    assert new_client().key_change(key).problem == "badPublicKey"


def test_keys_we_do_not_take_are_refused(new_client):
    client = new_client(account=False)
    assert client.new_account(key=Key("RS256", bits=1024)).problem == "badPublicKey"
    for jwk in ({"kty": "oct", "k": "AAAA"}, {"kty": "EC", "crv": "P-256", "x": "AAAA", "y": "AAAA"}, {}):
        assert client.new_account(header={"jwk": jwk}).problem == "badPublicKey"


@pytest.mark.parametrize("path", ["/acme/new-account", "/acme/key-change"])
def test_other_methods_are_refused(new_client, path):
    client = new_client(account=False)
    for method in ("GET", "PUT", "DELETE"):
        answer = client.request(method, f"{BASE}{path}")
        assert (answer.status, answer.problem) == (405, "malformed") and "POST" in answer.headers["Allow"]


def test_accounts_are_made_of_unknown_ids(new_client):
    assert len({new_client().kid for _ in range(5)}) == 5
    assert acme_client.unb64url(new_client().kid.split("/")[-1])[6] >> 4 == 7
