"""Accounts: making, updating, closing them, their orders, and what other accounts get to see."""

import pytest
from acme_client import DROP, Key, b64url, make_csr
from cryptography.hazmat.primitives.asymmetric import rsa
from steps import at_once, at_once_from_twins, fresh, issue, prove, ready_order, twin, uuid_of


# A program that still has the old key in its cache knows whose it was; another one sees a signature that does not verify.
OLD_KEY = {(403, "unauthorized"), (400, "malformed")}


def assert_problem(answer, status, kind):
    assert (answer.status, answer.problem) == (status, kind), answer


# --- newAccount ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512", "RS256", "EdDSA"])
def test_every_algorithm_gets_an_account_that_orders(new_client, alg):
    client = new_client(Key(alg), account=False)
    answer = client.new_account(["mailto:someone@example.org"])
    assert answer.status == 201 and answer.location.startswith(client.directory_url.removesuffix("directory") + "acme/account/")
    assert answer.json["status"] == "valid" and answer.json["contact"] == ["mailto:someone@example.org"]
    assert answer.json["orders"] == answer.location + "/orders"
    assert client.new_order([fresh()]).status == 201


def test_a_known_key_gets_its_account_again(new_client):
    client = new_client()
    again = client.new_account(["mailto:other@example.org"])
    assert (again.status, again.location, again.json["contact"]) == (200, client.kid, [])
    asked = client.new_account(more={"onlyReturnExisting": True})
    assert (asked.status, asked.location) == (200, client.kid)
    assert_problem(new_client(account=False).new_account(more={"onlyReturnExisting": True}), 400, "accountDoesNotExist")


def test_of_20_parallel_new_accounts_with_one_key_one_is_created(new_client, db):
    client = new_client(account=False)
    answers = at_once_from_twins(client, 20, lambda c, i: c.new_account())
    assert sorted(a.status for a in answers) == [200] * 19 + [201]
    assert len({a.location for a in answers}) == 1
    assert db.one("select count(*) from assay.audit_log where action = 'account.new' and object = %s",
                  uuid_of(answers[0].location)) == 1


@pytest.mark.parametrize("weak", ["an RSA key of 1024 bits", "an RSA exponent of 3", "a modulus with a small factor",
                                  "a point that is not on the curve", "a symmetric key"])
def test_no_account_for(new_client, weak):
    client = new_client(account=False)
    jwk = None
    if weak == "an RSA key of 1024 bits":
        client.key = Key("RS256", bits=1024)
    elif weak == "an RSA exponent of 3":
        client.key = Key("RS256", private=rsa.generate_private_key(public_exponent=3, key_size=2048))
    elif weak == "a modulus with a small factor":
        client.key = Key("RS256")
        n = client.key.private.public_key().public_numbers().n // 3 * 3
        jwk = {**client.key.jwk, "n": b64url((n | 1 << 2047).to_bytes(256, "big"))}
    elif weak == "a point that is not on the curve":
        jwk = {**client.key.jwk, "x": b64url(b"\x01" * 32)}
    else:
        jwk = {"kty": "oct", "k": b64url(b"k" * 32)}
    answer = client.new_account(**({"header": {"jwk": jwk}} if jwk else {}))
    assert_problem(answer, 400, "badPublicKey")


# --- updates ---------------------------------------------------------------------------------------------------------


def test_contacts_are_replaced_and_bad_ones_leave_them_alone(new_client):
    client = new_client()
    contact = ["mailto:a@example.org", "mailto:b@example.org"]
    assert client.update_account({"contact": contact}).json["contact"] == contact
    for bad, kind in ((["mailto:a@example.org,b@example.org"], "invalidContact"), (["mailto:a@example.org?subject=x"],
                       "invalidContact"), (["tel:+123"], "unsupportedContact"), (["mailto:nobody"], "invalidContact")):
        assert_problem(client.update_account({"contact": bad}), 400, kind)
    unchanged = client.update_account({"status": "valid", "orders": "https://evil.test/", "createdAt": "x"})
    assert (unchanged.status, unchanged.json["contact"], unchanged.json["orders"]) == (200, contact, client.kid + "/orders")
    assert client.update_account({"contact": []}).json["contact"] == []


def test_a_deactivated_account_is_401_everywhere_and_its_orders_end(new_client, dns, db):
    client = new_client()
    pending, ready = client.new_order([fresh()]), ready_order(client, dns, [fresh()])
    authz = pending.json["authorizations"][0]
    challenge = client.get(authz).json["challenges"][0]
    closed = client.deactivate_account()
    assert (closed.status, closed.json["status"]) == (200, "deactivated")
    for answer in (client.get(client.kid), client.update_account({"contact": []}), client.new_order([fresh()]),
                   client.get(pending.location), client.get(authz), client.respond(challenge),
                   client.finalize(ready, make_csr(["x.test"])), client.key_change(Key()), client.new_account(),
                   client.get(client.kid + "/orders"), client.deactivate_account()):
        assert_problem(answer, 401, "unauthorized")
    rows = db.rows("select status from assay.orders where account_id = %s", uuid_of(client.kid))
    assert rows == [(4,), (4,)]


# --- keyChange -------------------------------------------------------------------------------------------------------


def test_after_a_key_change_the_account_is_the_same_and_the_old_key_is_nobodys(new_client, dns):
    client = new_client()
    name, old = fresh(), twin(client)
    issue(client, dns, [name])
    changed = client.key_change(Key())
    assert (changed.status, changed.json["status"]) == (200, "valid")
    assert client.new_order([name]).json["status"] == "ready"  # what the account proved stays proved
    for answer in (old.new_order([name]), old.get(old.kid), old.key_change(Key())):
        assert (answer.status, answer.problem) in OLD_KEY, answer
    assert client.new_account(more={"onlyReturnExisting": True}).location == old.kid
    assert_problem(old.new_account(more={"onlyReturnExisting": True}), 400, "accountDoesNotExist")


def test_a_key_change_may_change_the_kind_of_key(new_client):
    client = new_client()
    for alg in ("RS256", "EdDSA", "ES384", "ES256"):
        assert client.key_change(Key(alg)).status == 200
        assert client.new_order([fresh()]).status == 201


def test_a_key_that_another_account_has_is_a_conflict_that_names_it(new_client):
    client, other = new_client(), new_client()
    for key in (other.key, client.key):
        answer = client.key_change(key)
        assert_problem(answer, 409, "malformed")
        assert answer.location == (other.kid if key is other.key else client.kid)


BAD_KEY_CHANGES = {
    "an old key that is not ours": ({"inner_payload": {"oldKey": Key().jwk}}, "malformed"),
    "no old key": ({"inner_payload": {"oldKey": DROP}}, "malformed"),
    "another account": ({"inner_payload": {"account": "https://localhost/acme/account/AAAAAAAAAAAAAAAAAAAAAA"}}, "malformed"),
    "an inner url of its own": ({"inner_header": {"url": "https://localhost/acme/new-order"}}, "malformed"),
    "an inner nonce": ({"inner_header": {"nonce": "AAAA"}}, "malformed"),
    "an inner kid": ({"inner_header": {"kid": "x", "jwk": DROP}}, "malformed"),
    "an inner signature by the old key": ({"inner_signer": "old"}, "malformed"),
    "an inner JWS that is text": ({"mutate_inner": lambda inner: {"protected": "x"}}, "malformed"),
    "an inner algorithm that is none": ({"inner_header": {"alg": "none"}}, "badSignatureAlgorithm"),
}


@pytest.mark.parametrize("how", BAD_KEY_CHANGES)
def test_no_key_change_with(client, how):
    options, kind = BAD_KEY_CHANGES[how]
    if options.get("inner_signer") == "old":
        options = {"inner_signer": client.key}
    assert_problem(client.key_change(Key(), **options), 400, kind)
    assert client.get(client.kid).status == 200


def test_no_key_change_to_a_weak_key(client):
    assert_problem(client.key_change(Key("RS256", bits=1024)), 400, "badPublicKey")


def test_of_20_parallel_key_changes_of_one_account_exactly_one_wins(new_client, db):
    client = new_client()
    keys = [Key() for _ in range(20)]
    answers = at_once_from_twins(client, 20, lambda c, i: c.key_change(keys[i]))
    won = [i for i, a in enumerate(answers) if a.status == 200]
    assert len(won) == 1
    assert {(a.status, a.problem) for a in answers if a.status != 200} <= OLD_KEY
    winner = twin(client)
    winner.key = keys[won[0]]
    assert winner.get(winner.kid).status == 200
    assert db.one("select count(*) from assay.audit_log where action = 'account.rekey' and object = %s",
                  uuid_of(client.kid)) == 1


def test_of_20_accounts_that_want_one_new_key_exactly_one_gets_it(new_client):
    clients = [new_client() for _ in range(20)]
    key = Key()
    answers = at_once(20, lambda i: clients[i].key_change(key))
    won = [i for i, a in enumerate(answers) if a.status == 200]
    assert len(won) == 1
    assert {(a.status, a.location) for i, a in enumerate(answers) if i != won[0]} == {(409, clients[won[0]].kid)}


# --- what an account has ---------------------------------------------------------------------------------------------


def test_the_list_of_orders_comes_in_pages_newest_first(new_client):
    client = new_client()
    answers = [client.new_order([fresh("page")]) for _ in range(205)]
    assert {a.status for a in answers} == {201}, [a for a in answers if a.status != 201]
    url, pages = client.kid + "/orders", []
    while url:
        answer = client.get(url)
        assert answer.status == 200
        pages.append(answer.json["orders"])
        (url,) = answer.links("next") or [None]
    assert [len(page) for page in pages] == [100, 100, 5]
    listed = sum(pages, [])
    assert len(set(listed)) == 205 and set(listed) == {a.location for a in answers}
    made = [uuid_of(order)[:13] for order in listed]  # UUIDv7: milliseconds first; within one, the order is open
    assert made == sorted(made, reverse=True)
    for query in ("?cursor=x", "?page=2", "?cursor="):
        assert_problem(client.get(client.kid + "/orders" + query), 400, "malformed")


def test_what_another_account_has_looks_as_if_it_did_not_exist(new_client, dns):
    owner, other = new_client(), new_client()
    name = fresh()
    valid, _ = issue(owner, dns, [name])
    pending = owner.new_order([fresh()])
    authz = owner.get(pending.json["authorizations"][0]).json
    for answer in (other.get(owner.kid), other.post(owner.kid, {"status": "deactivated"}), other.get(owner.kid + "/orders"),
                   other.get(valid.location), other.get(pending.json["authorizations"][0]),
                   other.deactivate_authorization(pending.json["authorizations"][0]), other.get(authz["challenges"][0]["url"]),
                   other.respond(authz["challenges"][0]), other.finalize(valid, make_csr([name])), other.download(valid)):
        assert_problem(answer, 404, "malformed")
    assert owner.get(owner.kid).json["status"] == "valid"
    assert owner.get(pending.location).json["status"] == "pending"
    # And its authorizations are nobody else's: the other account starts anew.
    assert other.new_order([name]).json["status"] == "pending"
    prove(owner, dns, pending)
