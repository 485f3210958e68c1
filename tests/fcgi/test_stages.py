"""What happens between programs and over time: cached keys that go out of date, requests that wait while something else
goes wrong, and stopping with requests in flight. test_waiting.py has the ordinary waits."""

import socket
import threading
import time

import pytest

from acme_over_fcgi import Client, id_of
from acme_client import Key, pick
from conftest import wait_for
from fastcgi import Connection

WAIT_SECS = 20  # whatever took less was woken, however busy the machine


@pytest.fixture
def programs(start, conf):
    """The three programs, this test's own."""
    conf.write(extra=f"[handlers]\nwait = {WAIT_SECS}s")
    return {name: start(name) for name in ("assay-directory", "assay-account", "assay-order")}


@pytest.fixture
def client(programs):
    made = Client(programs)
    assert made.new_account().status == 201
    yield made
    made.close()


def challenge_of(client):
    (authz,) = client.authorizations(client.new_order([f"h{time.monotonic_ns()}.stages.test"]))
    return authz["url"], pick(authz, "http-01")


class Waiting(threading.Thread):
    """A response to a challenge whose answer is still to come."""

    def __init__(self, client, challenge):
        super().__init__()
        self.client, self.challenge = client, challenge
        self.answer = None
        self.start()

    def run(self):
        self.begun = time.monotonic()
        self.answer = self.client.respond(self.challenge)
        self.secs = time.monotonic() - self.begun

    def status(self):
        self.join()
        return self.answer.json["status"]


def is_processing(workers, authz):
    return workers("SELECT challenge FROM assay.authorizations WHERE id = %s", str(id_of(authz))) == [(1,)]


def test_an_old_key_that_is_still_cached_is_unauthorized(client):
    authz, _ = challenge_of(client)  # assay-order has the key in its cache now
    old = client.key
    assert client.key_change(Key()).status == 200
    answer = client.get(authz, key=old)  # verifies with the cached key; the database knows better
    assert (answer.status, answer.problem) == (403, "unauthorized")
    assert client.get(authz).status == 200


def test_a_new_key_is_noticed_while_the_old_one_is_cached(client):
    authz, _ = challenge_of(client)
    old = client.key
    assert client.key_change(Key("RS256")).status == 200
    assert client.get(authz).status == 200
    assert client.get(authz, key=old).problem in ("malformed", "badSignatureAlgorithm")
    assert client.get(authz).status == 200


def test_keys_change_while_orders_go_on(client):
    for alg in ("ES256", "ES384", "ES256", "RS256"):
        challenge_of(client)
        assert client.key_change(Key(alg)).status == 200


def test_a_wake_up_for_something_unfinished_goes_on_waiting(client, workers):
    authz, challenge = challenge_of(client)
    waiting = Waiting(client, challenge)
    wait_for(lambda: is_processing(workers, authz))
    for _ in range(3):
        workers.publish(id_of(authz))
        time.sleep(0.05)
    assert waiting.is_alive()
    workers.validate(authz)
    assert waiting.status() == "valid" and waiting.secs < WAIT_SECS


def test_many_requests_wait_without_a_thread_each_and_seats_are_bounded(start, conf, workers):
    conf.write(extra=f"[handlers]\nthreads = 1\nwait = {WAIT_SECS}s\nwait_max = 20")
    programs = {name: start(name) for name in ("assay-directory", "assay-account", "assay-order")}
    clients = [Client(programs) for _ in range(25)]
    for client in clients:
        assert client.new_account().status == 201
    found = [challenge_of(client) for client in clients]
    waiting = [Waiting(client, challenge) for client, (_, challenge) in zip(clients, found)]
    for authz, _ in found:
        wait_for(lambda: is_processing(workers, authz))
    time.sleep(0.1)
    for authz, _ in found:
        workers.validate(authz)
    states = [each.status() for each in waiting]
    assert states.count("valid") == 20 and states.count("processing") == 5
    assert max(each.secs for each in waiting) < WAIT_SECS
    for client in clients:
        client.close()


def test_a_lost_redis_wakes_everyone_when_it_is_back(client, programs, workers, redis):
    for program in programs.values():
        program.errors_expected = True
    authz, challenge = challenge_of(client)
    waiting = Waiting(client, challenge)
    wait_for(lambda: is_processing(workers, authz))
    redis.stop()
    workers.validate(authz)  # nobody hears of it
    redis.start()
    assert waiting.status() == "valid" and waiting.secs < WAIT_SECS


def test_a_client_that_goes_away_while_waiting_harms_nobody(client, programs, workers):
    authz, challenge = challenge_of(client)
    client.post(authz)  # leaves a kept connection behind
    gone = Client(programs, client.key)
    gone.kid = client.kid
    waiting = threading.Thread(target=lambda: pytest.raises(OSError, gone.respond, challenge))
    waiting.start()
    wait_for(lambda: is_processing(workers, authz))
    gone.connections["assay-order"].sock.shutdown(socket.SHUT_RDWR)
    waiting.join()
    gone.close()
    workers.validate(authz)
    assert client.get(authz).json["status"] == "valid"


def test_stopping_answers_who_waits(client, programs, workers):
    authz, challenge = challenge_of(client)
    waiting = Waiting(client, challenge)
    wait_for(lambda: is_processing(workers, authz))
    time.sleep(0.1)
    begun = time.monotonic()
    assert programs["assay-order"].stop() == 0
    assert time.monotonic() - begun < 3
    assert waiting.status() == "processing" and waiting.answer.retry_after


def test_a_rolling_restart_fails_no_request(start, folder):
    """Processes that share one socket are stopped in turn under load. A connection that is closed without an answer sends
    its client elsewhere, as nginx goes elsewhere; nothing else may go wrong."""
    path = f"{folder}/shared.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(128)
    failures, answered, over = [], [0] * 8, threading.Event()

    def load(n):
        connection = Connection(path)
        while not over.is_set():
            for _ in range(3):
                try:
                    good = connection("GET", "/directory").status == 200
                    break
                except OSError:
                    connection, good = Connection(path), False
            answered[n] += 1
            if not good:
                failures.append(n)
        connection.close()

    running = [start("assay-directory", path=path, listener=listener) for _ in range(2)]
    threads = [threading.Thread(target=load, args=(n,)) for n in range(len(answered))]
    for thread in threads:
        thread.start()
    for i in range(6):
        time.sleep(0.2)
        assert running[i].stop() == 0
        running.append(start("assay-directory", path=path, listener=listener))
    over.set()
    for thread in threads:
        thread.join()
    listener.close()
    assert not failures
    assert sum(answered) > 500


def test_an_account_that_orders_too_much_is_told_when_to_come_back(start, conf, workers):
    conf.write(extra="[orders]\nnames_hourly = 3")
    programs = {name: start(name) for name in ("assay-directory", "assay-account", "assay-order")}
    greedy, other = Client(programs), Client(programs)
    for client in (greedy, other):
        assert client.new_account().status == 201
    names = [f"n{i}.{time.monotonic_ns()}.stages.test" for i in range(5)]
    assert greedy.new_order(names[:2]).status == 201
    refused = greedy.new_order(names[2:4])
    assert (refused.status, refused.problem, refused.type) == (429, "rateLimited", "application/problem+json")
    assert 1100 < int(refused.retry_after) <= 1200 and refused.nonce
    assert workers("SELECT count(*) FROM assay.orders WHERE names[1] = %s", names[2]) == [(0,)]
    assert greedy.new_order(names[4:]).status == 201  # what is left
    assert other.new_order(names[2:5]).status == 201
    conf.write(extra="[orders]\nnames_hourly = 0")
    programs["assay-order"].reload()
    wait_for(lambda: "configuration read again" in programs["assay-order"].log())
    assert greedy.new_order(names).status == 201
    for client in (greedy, other):
        client.close()


def test_the_service_manager_hears_of_start_and_stop(start, folder, monkeypatch):
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(f"{folder}/notify")
    manager.settimeout(10)
    monkeypatch.setenv("NOTIFY_SOCKET", f"{folder}/notify")
    program = start("assay-directory")
    assert manager.recv(100) == b"READY=1"
    assert program.connect()("GET", "/health").status == 200
    assert program.stop() == 0
    assert manager.recv(100) == b"STOPPING=1"
    manager.close()
