"""The steps that tests of every theme share: fresh names, ready orders, certificates, and doing things at the same time."""

import base64
import copy
import os
import subprocess
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

from acme_client import certificates, make_csr, pick


def fresh(label="name"):
    """A name that no other test uses."""
    return f"{label}-{uuid.uuid4().hex[:10]}.proto.test"


def uuid_of(url):
    """The id in an object's URL, as the database writes it."""
    text = url.rsplit("/", 1)[1]
    return str(uuid.UUID(bytes=base64.urlsafe_b64decode(text + "==")))


class Database:
    """One statement a call."""

    def __init__(self, connection):
        self.connection, self.lock = connection, threading.Lock()

    def rows(self, statement, *values):
        with self.lock, self.connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    def one(self, statement, *values):
        rows = self.rows(statement, *values)
        assert len(rows) == 1, rows
        return rows[0] if len(rows[0]) > 1 else rows[0][0]


def twin(client):
    """The same account over connections and nonces of its own: a client object is for one thread."""
    other = copy.copy(client)
    other.connections, other.nonces = {}, []
    return other


def at_once(count, action):
    """[action(0), …, action(count - 1)], each in a thread of its own, all started at the same moment."""
    barrier = threading.Barrier(count)

    def run(i):
        barrier.wait(30)
        return action(i)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def at_once_from_twins(client, count, action):
    """[action(twin, i), …]: every twin has its connection open and its nonce ready before all start."""
    twins = [twin(client) for _ in range(count)]
    with ThreadPoolExecutor(8) as pool:
        for other, nonce in zip(twins, pool.map(lambda t: t.fresh_nonce(), twins)):
            other.nonces.append(nonce)
    answers = at_once(count, lambda i: action(twins[i], i))
    for other in twins:
        other.close()
    return answers


def publish(dns, client, authz, challenge):
    """dns-01: what the challenge wants to see."""
    dns("set-txt", host=f"_acme-challenge.{authz['identifier']['value']}", value=client.dns_value(challenge["token"]))


def prove(client, dns, order):
    """Makes every pending authorization of an order valid by dns-01."""
    for authz in client.authorizations(order):
        if authz["status"] == "pending":
            challenge = pick(authz, "dns-01")
            publish(dns, client, authz, challenge)
            answer = client.respond(challenge)
            assert answer.status == 200, answer


def ready_order(client, dns, names, **options):
    order = client.new_order(names, **options)
    assert order.status == 201, order
    prove(client, dns, order)
    ready = client.wait(order.location, "ready")
    assert ready.json["status"] == "ready", ready
    return ready


def issue(client, dns, names, key=None, csr=None, **options):
    """The valid order and its chain, the end-entity's certificate first."""
    order = ready_order(client, dns, names, **options)
    answer = client.finalize(order, csr or make_csr(names, key))
    assert answer.status == 200, answer
    valid = client.wait(order.location, "valid")
    assert valid.json["status"] == "valid", valid
    return valid, certificates(client.download(valid))


def as_operator(stack, command, env=None):
    """As the stack's user, whose files these are."""
    if os.geteuid() == 0:
        owner = str(os.stat(stack["ASSAY_CONF"]).st_uid)
        command = ["setpriv", "--reuid", owner, "--clear-groups", *command]
    return subprocess.run(command, cwd="/", env={**os.environ, **(env or {})}, stdout=subprocess.PIPE, timeout=60,
                          stderr=subprocess.STDOUT, text=True, check=False)


def assayctl(stack, *words, conf=None):
    return as_operator(stack, [stack["ASSAYCTL"], "-c", conf or stack["ASSAY_CONF"], *words])
