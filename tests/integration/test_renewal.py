"""Renewal information, "replaces" (RFC 9773), and incidents from the first window to the revocation at the deadline."""

import os
import re
import tempfile
import time
from datetime import datetime, timedelta, timezone

import pytest
from acme_client import Key, b64url, certificates, make_csr
from cryptography import x509
from responders import until
from steps import assayctl, at_once_from_twins, fresh, issue, uuid_of

CACHE_SECS = 5   # nginx answers for the handler so long


def certificate_id(leaf):
    """RFC 9773 section 4.1."""
    key_id = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    number = leaf.serial_number
    return f"{b64url(key_id)}.{b64url(number.to_bytes(number.bit_length() // 8 + 1, 'big'))}"


def ask(client, leaf):
    return client.request("GET", f"{client.directory['renewalInfo']}/{certificate_id(leaf)}?{time.monotonic_ns()}")


def window(answer):
    assert answer.status == 200, answer
    start, end = (datetime.strptime(answer.json["suggestedWindow"][n], "%Y-%m-%dT%H:%M:%S%z") for n in ("start", "end"))
    assert start < end
    return start, end


def now():
    return datetime.now(timezone.utc)


def replacing(leaf):
    return {"more": {"replaces": certificate_id(leaf)}}


# --- renewalInfo -----------------------------------------------------------------------------------------------------


def test_anybody_may_ask_when_to_renew(stack, client, dns, new_client):
    _, (leaf, *_) = issue(client, dns, [fresh("ari")])
    stranger = new_client(account=False)
    url = f"{client.directory['renewalInfo']}/{certificate_id(leaf)}"
    assert url.startswith(stack["ACME_DIRECTORY"].removesuffix("/directory") + "/")
    got = stranger.request("GET", url)
    start, end = window(got)
    begin, life = leaf.not_valid_before.replace(tzinfo=timezone.utc), timedelta(days=90)
    assert start == begin + life * 2 / 3 - timedelta(days=1) and end - start == timedelta(days=2)
    assert 19440 <= int(got.retry_after) <= 23760 and "explanationURL" not in got.json
    assert got.nonce is None and got.headers["X-Accel-Expires"] is None and got.headers["Access-Control-Allow-Origin"] == "*"
    head = stranger.request("HEAD", url)
    assert (head.status, head.body) == (200, b"")
    assert stranger.request("GET", url).json == got.json, "HEAD's answer is not kept for GET"


def test_what_is_no_certificate_of_ours_has_no_renewal_information(client, dns):
    _, (leaf, *_) = issue(client, dns, [fresh("ari")])
    base = client.directory["renewalInfo"]
    key_id, serial = certificate_id(leaf).split(".")
    for path, status in ((f"{key_id}.{serial}=", 400), (key_id, 400), (f"{key_id}.AQ", 404),
                         (f"{key_id[:-2]}.{serial}", 400), (f"{b64url(bytes(20))}.{serial}", 404)):
        got = client.request("GET", f"{base}/{path}")
        assert (got.status, got.problem) == (status, "malformed"), (path, got)
        assert got.headers["Cache-Control"] == "no-store"
    assert client.post(f"{base}/{key_id}.{serial}", b"").status == 405


def test_the_window_of_a_revoked_certificate_is_over(client, dns):
    _, (leaf, *_) = issue(client, dns, [fresh("ari")])
    assert window(ask(client, leaf))[0] > now()
    assert client.revoke(leaf).status == 200
    assert until(lambda: window(ask(client, leaf))[1] < now() - timedelta(minutes=50), CACHE_SECS + 5)
    assert int(ask(client, leaf).retry_after) <= 3960, "and who has not seen it yet asks again soon"


# --- replaces --------------------------------------------------------------------------------------------------------


def test_a_chain_of_replacements(client, dns):
    names = [fresh("chain"), fresh("chain")]
    _, (first, *_) = issue(client, dns, names)
    order = client.new_order(names, **replacing(first))
    assert order.status == 201 and order.json["replaces"] == certificate_id(first)
    assert client.get(order.location).json["replaces"] == certificate_id(first)
    again = client.new_order(names, **replacing(first))
    assert (again.status, again.problem) == (409, "alreadyReplaced")
    assert client.new_order(names).status == 201, "without it, it is an order like any other"
    answer = client.finalize(order, make_csr(names))
    assert answer.status == 200 and answer.json["replaces"] == certificate_id(first)
    done = client.wait(order.location, "valid")
    assert done.json["status"] == "valid" and done.json["replaces"] == certificate_id(first)
    assert client.new_order(names, **replacing(first)).problem == "alreadyReplaced"
    second, *_ = certificates(client.download(done))
    valid, (third, *_) = issue(client, dns, names[:1] + [fresh("other")], **replacing(second))
    assert valid.json["replaces"] == certificate_id(second) and third.serial_number != second.serial_number


def test_a_replacement_that_failed_lets_its_certificate_go(client, dns):
    name = fresh("failing")
    _, (leaf, *_) = issue(client, dns, [name])
    order = client.new_order([name, fresh("unproved")], **replacing(leaf))
    assert order.status == 201
    assert client.new_order([name], **replacing(leaf)).problem == "alreadyReplaced"
    pending = next(a for a in client.authorizations(order) if a["status"] == "pending")
    assert client.deactivate_authorization(pending["url"]).status == 200
    failed = client.get(order.location)
    assert failed.json["status"] == "invalid" and failed.json["replaces"] == certificate_id(leaf)
    issue(client, dns, [name], **replacing(leaf))


def test_what_cannot_be_replaced_is_refused(client, dns, new_client, db):
    name = fresh("refused")
    _, (leaf, *_) = issue(client, dns, [name])
    right = certificate_id(leaf)
    for wrong in ("", "x", right + "=", right.split(".")[0], 5, None, [right], {"a": right}):
        got = client.new_order([name], more={"replaces": wrong})
        assert (got.status, got.problem) == (400, "malformed"), (wrong, got)
    unknown = right.split(".")[0] + "." + b64url(b"\x40" + bytes(17))
    assert client.new_order([name], more={"replaces": unknown}).problem == "malformed"
    got = client.new_order([fresh("elsewhere")], **replacing(leaf))
    assert (got.status, got.problem) == (400, "malformed") and "in common" in got.detail
    got = new_client().new_order([name], **replacing(leaf))
    assert (got.status, got.problem) == (403, "unauthorized")
    assert db.one("select count(*) from assay.replacements where serial = %s", leaf.serial_number.to_bytes(18, "big")) == 0
    assert client.new_order([name], **replacing(leaf)).status == 201


def test_of_fifty_replacements_at_once_one_is_taken(client, dns, db):
    name = fresh("race")
    _, (leaf, *_) = issue(client, dns, [name])
    answers = at_once_from_twins(client, 50, lambda twin, i: twin.new_order([name], **replacing(leaf)))
    assert sorted(a.status for a in answers) == [201] + [409] * 49, answers
    assert {a.problem for a in answers if a.status == 409} == {"alreadyReplaced"}
    taken = next(a for a in answers if a.status == 201)
    assert str(db.one("select order_id from assay.replacements where serial = %s",
                      leaf.serial_number.to_bytes(18, "big"))) == uuid_of(taken.location)


# --- incidents -------------------------------------------------------------------------------------------------------


def incident(stack, *words, status=0):
    done = assayctl(stack, "incident", *map(str, words))
    assert done.returncode == status, done.stdout
    return done.stdout


@pytest.fixture
def affected(new_client, dns):
    """Six certificates of one key and of two accounts."""
    key = Key("ES256").private
    clients = [new_client(), new_client()]
    return [(clients[i % 2], issue(clients[i % 2], dns, [fresh("hit")], key)[1][0]) for i in range(6)]


def serial_of(leaf):
    return f"{leaf.serial_number:036x}"


def prepared(stack, db, affected, *words):
    digest = db.one("select encode(spki_sha256, 'hex') from assay.certificates where serial = %s",
                    bytes.fromhex(serial_of(affected[0][1])))
    create = ("create", "--key", digest, "--why", "a test", *words)
    assert "6 certificates" in incident(stack, *create) and "Nothing was changed" in incident(stack, *create)
    assert "expected were 5" in incident(stack, *create, "--yes", "--expect", 5, status=1)
    made = incident(stack, *create, "--yes", "--expect", 6)
    assert "6 selected" in made
    return re.search(r"Incident (\d+)\.", made).group(1)


def figure(text, what):
    return int(re.search(rf"^  {what} +(\d+)", text, re.M).group(1))


def test_an_incident_from_its_first_wave_to_the_deadline(stack, affected, dns, db):
    number = prepared(stack, db, affected, "--explanation-url", "https://ca.test/incident")
    assert all(window(ask(c, leaf))[0] > now() + timedelta(days=50) for c, leaf in affected), "prepared, nothing moves"
    start = ("start", "--id", number, "--rate", 720, "--slot", "10s", "--reason", "superseded")
    assert "3 waves" in incident(stack, *start, "--deadline", "45s")
    assert "after the deadline" in incident(stack, *start, "--deadline", "20s", "--yes", status=1)
    time.sleep(CACHE_SECS + 1.5)  # nginx counts in whole seconds
    begun = now()
    incident(stack, *start, "--deadline", "45s", "--yes")
    asked = [ask(c, leaf) for c, leaf in affected]
    waves = sorted(window(a) for a in asked)
    for i, (first, last) in enumerate(waves):
        assert last - first == timedelta(seconds=10)
        assert abs((first - begun).total_seconds() - 10 * (i // 2)) < 4, waves
    assert {a.json["explanationURL"] for a in asked} == {"https://ca.test/incident"}
    assert all(int(a.retry_after) <= 3960 for a in asked)

    # Two renew as they are told, one of them with another name beside.
    client, leaf = affected[0]
    issue(client, dns, [leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value[0].value, fresh("more")],
          **replacing(leaf))
    client, leaf = affected[1]
    issue(client, dns, [leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value[0].value])
    assert until(lambda: figure(incident(stack, "status", "--id", number), "renewed") == 2, 15)
    text = incident(stack, "status", "--id", number)
    assert (figure(text, "selected"), figure(text, "revoked"), figure(text, "left")) == (6, 0, 4)
    assert "running" in text and figure(text, "asked to renew") >= 2

    revoked = "select count(*) from assay.certificates where encode(serial, 'hex') = any(%s) and revoked_at is not null"
    serials = [serial_of(leaf) for _, leaf in affected]
    assert db.one(revoked, serials) == 0
    assert until(lambda: db.one(revoked, serials) == 6, 60), "at the deadline the keeper revokes all of them"
    at, reason = db.one("select min(revoked_at), min(reason) from assay.certificates where encode(serial, 'hex') = any(%s)", serials)
    assert at >= begun + timedelta(seconds=45) and reason == 4
    text = incident(stack, "status", "--id", number)
    assert "ended" in text and figure(text, "revoked") == 6 and figure(text, "left") == 0
    client, leaf = affected[5]
    assert until(lambda: window(ask(client, leaf))[1] < now() - timedelta(minutes=50), CACHE_SECS + 5)
    assert ask(client, leaf).json["explanationURL"] == "https://ca.test/incident"
    actions = db.rows("select action from assay.audit_log where action like 'incident.%%' and object = %s order by id", number)
    assert {a for (a,) in actions} == {"incident.create", "incident.select", "incident.start", "incident.end"}
    incident(stack, "abort", "--id", number, "--why", "too late", status=1)


def test_an_incident_is_paused_extended_and_aborted(stack, affected, db):
    number = prepared(stack, db, affected)
    incident(stack, "start", "--id", number, "--rate", 6, "--slot", "10m", "--deadline", "2h", "--reason", "superseded", "--yes")
    moved = lambda: [i for i, (c, leaf) in enumerate(affected) if window(ask(c, leaf))[0] < now() + timedelta(days=1)]
    assert until(lambda: len(moved()) == 6, CACHE_SECS + 3)
    assert "paused" in incident(stack, "pause", "--id", number)
    assert until(lambda: len(moved()) == 1, CACHE_SECS + 3), "only the wave that had begun is asked"
    incident(stack, "pause", "--id", number, status=1)
    assert "running" in incident(stack, "resume", "--id", number)
    assert until(lambda: len(moved()) == 6, CACHE_SECS + 3)
    incident(stack, "extend", "--id", number, "--deadline", "1h", "--why", "earlier", status=1)
    assert "in 4:59" in incident(stack, "extend", "--id", number, "--deadline", "5h", "--why", "more time")
    incident(stack, "abort", "--id", number, "--why", "a test")
    assert until(lambda: not moved(), CACHE_SECS + 3), "all windows are the ordinary ones"
    assert "aborted" in incident(stack, "status", "--id", number) and "a test" in incident(stack, "status")
    assert db.one("select count(*) from assay.certificates where encode(serial, 'hex') = any(%s) and revoked_at is not null",
                  [serial_of(leaf) for _, leaf in affected]) == 0


def test_incidents_choose_by_list_method_account_and_time(stack, new_client, dns):
    client, begun = new_client(), now() - timedelta(seconds=1)
    leaves = [issue(client, dns, [fresh("chosen")])[1][0] for _ in range(3)]
    with tempfile.NamedTemporaryFile("w", encoding="ascii") as listed:
        os.chmod(listed.name, 0o644)
        listed.write("# two of them, one twice, and a stranger\n" + "\n".join(
            map(serial_of, (leaves[0], leaves[1], leaves[0]))) + "\n40" + "00" * 17 + "\n")
        listed.flush()
        made = incident(stack, "create", "--serials", listed.name, "--why", "t", "--yes", "--expect", 2)
        assert "2 selected" in made
        incident(stack, "create", "--why", "t", "--serials", listed.name, "--account", uuid_of(client.kid), status=1)
    account = uuid_of(client.kid)
    time_words = ("--from", begun.strftime("%Y-%m-%dT%H:%M:%SZ"))
    for words, count in ((["--account", account], 3), (["--account", account, "--method", "dns-01"], 3),
                         (["--account", account, "--method", "3.2.2.4.7", *time_words], 3),
                         (["--account", account, "--method", "http-01"], 0),
                         (["--account", account, "--profile", "default", "--issuer", "main"], 3),
                         (["--account", account, "--profile", "none"], 0),
                         (["--account", account, "--until", time_words[1]], 0)):
        assert f"{count} certificates" in incident(stack, "create", "--why", "t", *words), words
    for words in (["create", "--account", account], ["create", "--why", "t"], ["start", "--id", "1"], ["status", "--id", "999999"],
                  ["create", "--why", "t", "--account", account, "--method", "dns-02"], ["begin"], ["select", "--id", "999999"],
                  ["create", "--why", "t", "--account", account, "--yes"], ["pause", "--id", "0"], ["pause", "--account", account],
                  ["start", "--id", "1", "--rate", "1", "--deadline", "soon", "--reason", "superseded"]):
        incident(stack, *words, status=1)
