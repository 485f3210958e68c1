"""Fixtures: a CA made by assayctl init, its database and Redis, orders as the handlers would leave them, and signers."""

import base64
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
import uuid

import psycopg2
import psycopg2.extras
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

BUILD = os.environ["top_builddir"]
SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ASSAYCTL = f"{BUILD}/tools/assayctl"
SIGNER = f"{BUILD}/workers/signer/assay-signer"
SIGNER_WITH_FAILPOINTS = f"{BUILD}/tests/signer/assay-signer"
LEASE_SECS = 2

psycopg2.extras.register_uuid()


def wait_for(condition, seconds=20, what="it"):
    end = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < end, f"waited in vain for {what() if callable(what) else what}"
        time.sleep(0.02)


def assayctl(*words, check=True, **kwargs):
    done = subprocess.run([ASSAYCTL, *words], capture_output=True, text=True, check=False, timeout=120, **kwargs)
    if check:
        assert done.returncode == 0, done.stderr
    return done


class Ca:
    """What assayctl init made, with settings that suit a test."""

    def __init__(self, folder, *words):
        self.dir = f"{folder}/etc"
        self.conf = f"{self.dir}/assay.conf"
        self.socket = f"{folder}/redis.sock"
        settings = {
            "database.uri": f"host={os.environ['PGHOST']} dbname={os.environ['PGDATABASE']}",
            "redis.socket": self.socket,
            "journal.folder": f"{folder}/journal",
            "validation.attempt_timeout": "1s",
            "workers.lease": f"{LEASE_SECS}s",
            "workers.linger": "1ms",
            "ocsp.state_dir": f"{folder}/ocsp",
            "issuer main.ocsp_url": "http://ocsp.example.org",
            "issuer main.ca_issuers_url": "http://pki.example.org/issuer.cer",
            "issuer main.crl_url": "http://pki.example.org/issuer.crl",
            "profile six_days.validity": "6d",
            "issuer main.crl_shards": "4",
            "profile classic.common_name": "yes",
            "profile brief.validity": "6d",
            "profile brief.crl": "no",
        }
        os.makedirs(settings["journal.folder"], exist_ok=True)
        self.init = assayctl("init", "--dir", self.dir, "--root-key", f"{folder}/root.key", "--base-url",
                             "https://acme.example.org", "--name", "Test CA", *words,
                             *[word for name, value in settings.items() for word in ("--set", f"{name}={value}")])

    def pem(self, name):
        with open(f"{self.dir}/pki/{name}.pem", "rb") as text:
            return x509.load_pem_x509_certificate(text.read())

    def password(self, store, name):
        with open(f"{self.dir}/secrets/{store}/{name}", encoding="ascii") as text:
            return text.readline().strip()


class Redis:
    """A private Redis with the ACL of assayctl init; the test itself comes in as a user of its own."""

    def __init__(self, folder, ca):
        self.socket = ca.socket
        with open(f"{ca.dir}/redis.acl", encoding="ascii") as text:
            rules = text.read()
        self.acl = f"{folder}/redis.acl"
        with open(self.acl, "w", encoding="ascii") as out:
            out.write(rules + "user tester on >tester ~* &* +@all\n")
        self.process = subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", self.socket, "--save", "",
                                         "--appendonly", "no", "--aclfile", self.acl], stdout=subprocess.DEVNULL)
        wait_for(lambda: self("PING") == "PONG", what="Redis")

    def __call__(self, *words, user="tester", password="tester"):
        env = {**os.environ, "REDISCLI_AUTH": password}
        done = subprocess.run(["redis-cli", "-s", self.socket, "--user", user, *words], capture_output=True, text=True,
                              check=False, env=env)
        return done.stdout.strip()

    def stop(self):
        self.process.terminate()
        self.process.wait()


def short(order):
    return base64.urlsafe_b64encode(order.bytes).rstrip(b"=").decode()


def uuid7():
    now = time.time_ns() // 1000000
    value = (now << 80) | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | (7 << 76)
    return uuid.UUID(int=value & ~(3 << 62) | (2 << 62))


def make_csr(names, key):
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


class Database:
    """The database as its owner sees it, and orders that are ready to be signed, as only rows can make them."""

    def __init__(self):
        self.connection = psycopg2.connect("")
        self.connection.autocommit = True
        self("SET search_path = assay, pg_catalog")
        self("SELECT partitions(3, 400 * 86400)")

    def __call__(self, sql, *values):
        with self.connection.cursor(cursor_factory=psycopg2.extras.NamedTupleCursor) as cursor:
            cursor.execute(sql, values)
            return cursor.fetchall() if cursor.description else []

    def one(self, sql, *values):
        rows = self(sql, *values)
        assert len(rows) == 1, rows
        return rows[0]

    def account(self):
        account = uuid7()
        self("INSERT INTO accounts (id, terms_agreed, thumbprint, jwk, contacts) VALUES (%s, true, %s, '{}', '{}')", account,
             os.urandom(32))
        return account

    def authorization(self, account, order, name, method):
        authz = uuid7()
        wildcard = name.startswith("*.")
        self("INSERT INTO authorizations (id, account_id, order_id, expires_at, wildcard, name, secret)"
             " VALUES (%s, %s, %s, now() + interval '1 day', %s, %s, %s)", authz, account, order, wildcard,
             name[2:] if wildcard else name, os.urandom(32))
        self("UPDATE authorizations SET attempted = %s, challenge = 1, key_thumbprint = %s, due_at = now() WHERE id = %s", method,
             os.urandom(32), authz)
        self("UPDATE authorizations SET status = 1, challenge = 2, validated_at = now(), caa_at = now(), due_at = NULL"
             " WHERE id = %s", authz)
        return authz

    def order(self, names, account=None, profile="default", csr=None, key=None, not_after=None, method=2):
        account = account or self.account()
        order = uuid7()
        names = sorted(names)
        key = key or ec.generate_private_key(ec.SECP256R1())
        csr = csr or make_csr(names, key)
        spki = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        authzs = [self.authorization(account, order, name, method) for name in names]
        self("INSERT INTO orders (id, account_id, expires_at, status, outstanding, profile, names, authz_ids, not_after)"
             " VALUES (%s, %s, now() + interval '1 day', 1, 0, %s, %s, %s, %s)", order, account, profile, names, authzs, not_after)
        self("UPDATE orders SET status = 2, csr = %s, spki_sha256 = %s, key_thumbprint = %s, due_at = now() WHERE id = %s", csr,
             hashlib.sha256(spki).digest(), os.urandom(32), order)
        return order

    def state(self, order):
        return self.one("SELECT * FROM orders WHERE id = %s", order)

    def certificates(self, order):
        return self("SELECT * FROM certificates WHERE order_id = %s ORDER BY serial", order)

    def certificate(self, order):
        rows = [row for row in self.certificates(order) if row.der]
        assert len(rows) == 1
        return x509.load_der_x509_certificate(bytes(rows[0].der))


class Signer:
    """One signer process; fail names the step at which it is killed."""

    def __init__(self, ca, folder, fail=None, prefix=()):
        self.log_path = f"{folder}/signer-{time.monotonic_ns()}.log"
        env = dict(os.environ)
        if os.geteuid() != 0 or "strace" in prefix:
            # A leak check traces the process: the signer forbids that to its own user, and strace has taken the place.
            env["ASAN_OPTIONS"] = "detect_leaks=0"
        if fail:
            env["ASSAY_FAILPOINT"] = fail
        for name in ("PGUSER", "PGHOST", "PGDATABASE"):
            env.pop(name, None)
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([*prefix, SIGNER_WITH_FAILPOINTS if fail else SIGNER, "-c", ca.conf], stderr=log,
                                            stdin=subprocess.DEVNULL, env=env)

    def log(self):
        with open(self.log_path, encoding="utf-8") as text:
            return text.read()

    def events(self, message):
        return [event for event in map(json.loads, self.log().splitlines()) if event["message"] == message]

    def wait_ready(self):
        wait_for(lambda: "issuer ready" in self.log() or self.process.poll() is not None, seconds=10,
                 what=lambda: f"a ready signer; it said: {self.log()}")
        assert self.process.poll() is None, self.log()
        return self

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(timeout=20)


@pytest.fixture(scope="session")
def folder():
    path = tempfile.mkdtemp(prefix="assay-signer.")
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def ca(folder):
    return Ca(folder)


@pytest.fixture(scope="session")
def database(ca):
    assayctl("-c", ca.conf, "migrate", "--sql", f"{SOURCE}/sql")
    return Database()


@pytest.fixture(scope="session")
def redis(folder, ca):
    server = Redis(folder, ca)
    yield server
    server.stop()


@pytest.fixture
def signer(ca, database, redis, folder):
    """Starts signers and sees to it that each ends well, unless it was killed on purpose."""
    running = []

    def start(fail=None, ready=True, **kwargs):
        running.append(Signer(ca, folder, fail, **kwargs))
        return running[-1].wait_ready() if ready else running[-1]

    yield start
    for one in running:
        if one.process.poll() is None:
            assert one.stop() == 0, one.log()
        assert "Sanitizer" not in one.log(), one.log()


@pytest.fixture
def enqueue(redis):
    """The job, as assay-order or the keeper would add it."""

    def add(*orders):
        for order in orders:
            redis("XADD", "q:sign", "*", "s", short(order))

    return add
