"""Answers that wait for the workers: clients see the result at once (RFC 8555 leaves polling to those who must)."""

import threading
import time
import uuid

import pytest
from cryptography import x509

from acme_client import Key, make_csr, pick
from acme_over_fcgi import id_of
from conftest import wait_for
from test_order import FAILED, fresh, make_ready

WAIT = "3s"
# Handlers only ask whether there is one: the keeper writes it.
EXTRA = "[journal]\nfolder = /nonexistent/journal\n"


def later(what, *args):
    """Does something a moment from now."""
    thread = threading.Timer(0.3, what, args)
    thread.start()
    return thread


@pytest.mark.parametrize("problem,status", [(None, "valid"), (FAILED, "invalid")])
def test_a_challenge_answers_with_its_result(client, workers, problem, status):
    (authz,) = client.authorizations(client.new_order([fresh()]))
    timer = later(workers.validate, authz["url"], problem)
    start = time.monotonic()
    answer = client.respond(pick(authz, "http-01"))
    timer.join()
    assert answer.status == 200 and answer.json["status"] == status and answer.retry_after is None
    assert time.monotonic() - start < 2.5
    assert client.get(authz["url"]).json["status"] == status


def test_finalize_answers_with_the_certificate(client, workers):
    name = fresh()
    (authz,) = client.authorizations(order := client.new_order([name]))
    timer = later(workers.validate, authz["url"])
    assert client.respond(pick(authz, "http-01")).json["status"] == "valid"
    timer.join()
    timer = later(workers.issue, order.location)
    answer = client.finalize(order, make_csr([name]))
    timer.join()
    assert answer.status == 200 and answer.json["status"] == "valid" and "certificate" in answer.json
    assert client.download(answer).status == 200


def test_a_key_change_during_the_wait_does_not_undo_what_was_done(client, workers, new_client):
    (authz,) = client.authorizations(client.new_order([fresh()]))
    twin = new_client()
    twin.key, twin.kid = client.key, client.kid
    rolled = []
    roll = later(lambda: rolled.append(twin.key_change(Key())))
    validate = threading.Timer(0.8, workers.validate, (authz["url"],))
    validate.start()
    answer = client.respond(pick(authz, "http-01"))
    roll.join()
    validate.join()
    assert rolled[0].status == 200
    assert answer.status == 200 and answer.json["status"] == "processing"
    client.key = twin.key
    assert client.get(authz["url"]).json["status"] == "valid"


def test_without_a_result_the_answer_comes_in_bounded_time(client):
    (authz,) = client.authorizations(client.new_order([fresh()]))
    start = time.monotonic()
    answer = client.respond(pick(authz, "http-01"))
    assert answer.json["status"] == "processing" and answer.retry_after
    assert 2.5 < time.monotonic() - start < 6
    start = time.monotonic()
    read = client.get(authz["url"])
    assert read.json["status"] == "pending" and read.retry_after and time.monotonic() - start > 2.5


def test_reads_wait_too(client, workers, new_client):
    name = fresh()
    (authz,) = client.authorizations(order := client.new_order([name]))
    twin = new_client(client.key)
    slow = threading.Thread(target=client.respond, args=(pick(authz, "http-01"),))
    slow.start()
    wait_for(lambda: workers("SELECT challenge FROM assay.authorizations WHERE id = %s", str(id_of(authz["url"]))) == [(1,)])
    timer = later(workers.validate, authz["url"])
    start = time.monotonic()
    assert twin.get(authz["url"]).json["status"] == "valid" and time.monotonic() - start < 2.5
    timer.join()
    slow.join()
    assert twin.get(order.location).json["status"] == "ready"


def test_a_pending_order_does_not_wait(client):
    order = client.new_order([fresh()])
    start = time.monotonic()
    client.get(order.location)
    for authz in client.authorizations(order):
        client.get(authz["challenges"][0]["url"])
    assert time.monotonic() - start < 1


def test_nothing_to_wait_for_after_a_ready_order(client, workers):
    name = fresh()
    (authz,) = client.authorizations(order := client.new_order([name]))
    timer = later(workers.validate, authz["url"])
    client.respond(pick(authz, "dns-01"))
    timer.join()
    start = time.monotonic()
    assert make_ready(client, workers, [name]).json["status"] == "ready"
    assert client.get(order.location).json["status"] == "ready" and time.monotonic() - start < 1


def certificate(client, workers):
    name = fresh()
    order = make_ready(client, workers, [name])
    timer = later(workers.issue, order.location)
    client.finalize(order, make_csr([name]))
    timer.join()
    serial = workers("SELECT serial FROM assay.orders WHERE id = %s", str(id_of(order.location)))[0][0]
    ((der,),) = workers("SELECT der FROM assay.certificates WHERE serial = %s", serial)
    return bytes(serial), x509.load_der_x509_certificate(bytes(der))


def journal_it(workers, serial, tell=True):
    """As the keeper does."""
    workers("SELECT assay.journal_outbox_done(ARRAY(SELECT r_id::text FROM assay.journal_outbox(1000)), '{}')")
    if tell:
        workers.publish(uuid.UUID(bytes=serial[-16:]))


def test_a_revocation_is_acknowledged_when_it_is_in_the_journal(client, workers):
    serial, cert = certificate(client, workers)
    timer = later(journal_it, workers, serial)
    start = time.monotonic()
    answer = client.revoke(cert, 4)
    timer.join()
    assert answer.status == 200 and answer.body == b"" and answer.retry_after is None, answer
    assert 0.2 < time.monotonic() - start < 2.5
    assert workers("SELECT reason FROM assay.certificates WHERE serial = %s", serial) == [(4,)]


def test_a_revocation_that_is_not_journalled_in_time_is_made_and_not_acknowledged(client, workers):
    serial, cert = certificate(client, workers)
    start = time.monotonic()
    answer = client.revoke(cert, 1)
    assert (answer.status, answer.problem) == (503, "serverInternal") and int(answer.retry_after) > 0
    assert 2.5 < time.monotonic() - start < 6
    assert workers("SELECT reason FROM assay.certificates WHERE serial = %s", serial) == [(1,)]
    assert client.revoke(cert, 1).problem == "alreadyRevoked"
    journal_it(workers, serial, tell=False)


def test_a_wake_up_for_another_certificate_acknowledges_nothing(client, workers):
    serial, cert = certificate(client, workers)
    timer = later(workers.publish, uuid.UUID(bytes=serial[-16:]))
    assert client.revoke(cert, 4).status == 503
    timer.join()
    journal_it(workers, serial, tell=False)
