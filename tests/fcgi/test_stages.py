"""What only happens between programs and over time: cached keys that go out of date, requests that wait for workers,
and stopping with requests in flight. The worker's part is played here, by SQL and PUBLISH."""

import json
import os
import threading
import time
import uuid

import psycopg2
import pytest

from conftest import BASE, wait_for
from jose import Key, b64url, unb64url

NEW_ACCOUNT, NEW_ORDER = f"{BASE}/acme/new-account", f"{BASE}/acme/new-order"


class Client:
    """A raw ACME client: one connection a program, one account, nonces from the last answer."""

    def __init__(self, account_program, order_program):
        self.programs = {"account": account_program, "order": order_program}
        self.connections = {name: program.connect() for name, program in self.programs.items()}
        self.key = Key()
        self.nonce = self.connections["account"]("GET", "/").nonce
        made = self.post(NEW_ACCOUNT, {"termsOfServiceAgreed": True})
        assert made.status == 201, made.body
        self.kid = made["Location"]

    def send(self, url, payload=b"", key=None, **header):
        path = url[len(BASE):]
        program = "account" if any(word in path for word in ("account", "key-change")) else "order"
        if isinstance(payload, dict):
            payload = json.dumps(payload).encode()
        body = (key or self.key).request(url, self.nonce, payload, kid=getattr(self, "kid", None), **header)
        self.connections[program].send("POST", path, body)
        return self.connections[program]

    def receive(self, connection):
        answer = connection.receive()
        self.nonce = answer.nonce
        return answer

    def post(self, *args, **kwargs):
        return self.receive(self.send(*args, **kwargs))

    def change_key(self):
        """Section 7.3.5; this client goes on with the new key."""
        fresh = Key()
        inner = fresh.request(f"{BASE}/acme/key-change", None,
                              json.dumps({"account": self.kid, "oldKey": self.key.jwk}).encode())
        assert self.post(f"{BASE}/acme/key-change", json.loads(inner)).status == 200
        old, self.key = self.key, fresh
        return old

    def challenge(self):
        """A new order's challenge: its URL and the id of its authorization."""
        order = self.post(NEW_ORDER, {"identifiers": [{"type": "dns", "value": f"{uuid.uuid4().hex}.example.org"}]})
        assert order.status == 201, order.body
        authz = order.json()["authorizations"][0]
        found = self.post(authz).json()["challenges"]
        return found[0]["url"], uuid.UUID(bytes=unb64url(authz.rsplit("/", 1)[1]))


@pytest.fixture
def client(start):
    return Client(start("assay-account"), start("assay-order"))


def validate(authz):
    """What a validator's transaction leaves behind."""
    with psycopg2.connect("") as db, db.cursor() as cursor:
        cursor.execute("SELECT r_attempt FROM assay.validation_claim(%s::uuid[], 60)", ([str(authz)],))
        attempt = cursor.fetchone()[0]
        cursor.execute("""SELECT assay.validation_finish(%s::uuid[], %s, '{0}', '{NULL}', '{NULL}', ARRAY[now()], '{"{}"}',
                          now() + '1 day'::interval)""", ([str(authz)], [attempt]))


def publish(redis, ident):
    return redis("PUBLISH", "done", b64url(ident.bytes))


def test_a_key_that_was_changed_elsewhere_is_noticed_both_ways(client):
    url, _ = client.challenge()  # assay-order has the key in its cache now
    old = client.change_key()
    assert client.post(url, key=old).status in (400, 403)
    assert client.post(url).status == 200
    assert client.post(url, key=old).problem in ("malformed", "unauthorized")
    assert client.post(url).status == 200


def test_an_old_key_that_is_still_cached_is_unauthorized(client):
    url, _ = client.challenge()
    old = client.change_key()
    answer = client.post(url, key=old)  # verifies with the cached key; the database knows better
    assert (answer.status, answer.problem) == (403, "unauthorized")
    assert client.post(url).status == 200


def test_key_changes_while_orders_go_on(client):
    for _ in range(5):
        client.challenge()
        client.change_key()


def test_a_waiting_answer_comes_when_the_worker_is_done(client, redis):
    url, authz = client.challenge()
    waiting = client.send(url, b"{}")
    wait_for(lambda: redis("XLEN", "q:val") != "0")
    time.sleep(0.1)
    validate(authz)
    begun = time.monotonic()
    publish(redis, authz)
    answer = client.receive(waiting)
    assert time.monotonic() - begun < 0.5
    assert answer.status == 200 and answer.json()["status"] == "valid"
    assert answer["Retry-After"] is None


def test_a_wake_up_for_something_unfinished_goes_on_waiting(client, redis, conf):
    url, authz = client.challenge()
    waiting = client.send(url, b"{}")
    time.sleep(0.2)
    for _ in range(3):
        publish(redis, authz)
        time.sleep(0.05)
    validate(authz)
    publish(redis, authz)
    assert client.receive(waiting).json()["status"] == "valid"


def test_a_wait_ends_with_what_there_is(start, conf):
    conf.write(extra="[handlers]\nwait = 1s")
    client = Client(start("assay-account"), start("assay-order"))
    url, _ = client.challenge()
    begun = time.monotonic()
    answer = client.post(url, b"{}")
    assert 0.9 < time.monotonic() - begun < 2
    assert answer.status == 200 and answer.json()["status"] == "processing"
    assert answer["Retry-After"]


def test_without_waiting_the_answer_comes_at_once(start, conf):
    conf.write(extra="[handlers]\nwait = 0")
    client = Client(start("assay-account"), start("assay-order"))
    url, _ = client.challenge()
    begun = time.monotonic()
    assert client.post(url, b"{}").json()["status"] == "processing"
    assert time.monotonic() - begun < 0.25


def test_many_requests_wait_without_a_thread_each(start, conf, redis):
    conf.write(extra="[handlers]\nthreads = 1\nwait_max = 20")
    account, order = start("assay-account"), start("assay-order")
    clients = [Client(account, order) for _ in range(25)]
    challenges = [client.challenge() for client in clients]
    waiting = [client.send(url, b"{}") for client, (url, _) in zip(clients, challenges)]
    time.sleep(0.3)
    for _, authz in challenges:
        validate(authz)
        publish(redis, authz)
    states = [client.receive(connection).json()["status"] for client, connection in zip(clients, waiting)]
    # The seats are bounded: whoever finds none is answered at once.
    assert states.count("valid") >= 20 and set(states) <= {"valid", "processing"}


def test_a_lost_redis_wakes_everyone_when_it_is_back(client, redis):
    for program in client.programs.values():
        program.errors_expected = True
    url, authz = client.challenge()
    waiting = client.send(url, b"{}")
    time.sleep(0.2)
    redis.stop()
    validate(authz)
    redis.start()
    begun = time.monotonic()
    assert client.receive(waiting).json()["status"] == "valid"
    assert time.monotonic() - begun < 2


def test_a_client_that_goes_away_while_waiting_harms_nobody(client, redis):
    url, authz = client.challenge()
    client.send(url, b"{}").close()
    time.sleep(0.2)
    validate(authz)
    publish(redis, authz)
    client.connections["order"] = client.programs["order"].connect()
    client.nonce = client.connections["account"]("GET", "/").nonce
    assert client.post(url).json()["status"] == "valid"


def test_stopping_answers_who_waits(client):
    url, _ = client.challenge()
    waiting = client.send(url, b"{}")
    time.sleep(0.2)
    begun = time.monotonic()
    assert client.programs["order"].stop() == 0
    assert time.monotonic() - begun < 3
    assert client.receive(waiting).json()["status"] == "processing"


def test_a_rolling_restart_fails_no_request(start, folder, redis):
    """Two processes on one socket, stopped in turn under load. Who is told to go elsewhere (a closed connection without an
    answer) goes elsewhere, as nginx does: nothing may fail more often than that."""
    import socket
    path = f"{folder}/shared.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(128)
    running = [start("assay-directory", path=path, listener=listener) for _ in range(2)]
    failures, answers, stop = [], [0], threading.Event()

    def load():
        from fastcgi import Connection
        connection = Connection(path)
        while not stop.is_set():
            for tries in range(3):
                try:
                    good = connection("GET", "/directory").status == 200
                    break
                except OSError:
                    connection = Connection(path)
                    good = False
            answers[0] += 1
            if not good:
                failures.append(answers[0])
        connection.close()

    threads = [threading.Thread(target=load) for _ in range(8)]
    for thread in threads:
        thread.start()
    for i in range(6):
        time.sleep(0.2)
        assert running[i].stop() == 0
        running.append(start("assay-directory", path=path, listener=listener))
    stop.set()
    for thread in threads:
        thread.join()
    listener.close()
    os.unlink(path)
    assert not failures
    assert answers[0] > 500
