"""assay-directory as nginx sees it: over its FastCGI socket, with a real Redis and PostgreSQL."""

import datetime
import json
import os
import threading
import time
import uuid

import psycopg2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from acme_over_fcgi import acme_client
from acme_client import Key, b64url, unb64url
from conftest import BASE, wait_for

DIRECTORY, NEW_NONCE = "/directory", "/acme/new-nonce"
SIGNER = acme_client.AcmeClient(f"{BASE}{DIRECTORY}")


@pytest.fixture
def program(start):
    return start("assay-directory")


@pytest.fixture
def call(program):
    connection = program.connect()
    yield connection
    connection.close()


WORKERS = ("validator", "signer", "keeper")


def beat(*workers, ago=0):
    """The workers' heartbeats, and none of others."""
    with psycopg2.connect("") as db, db.cursor() as cursor:
        cursor.execute("DELETE FROM assay.heartbeats WHERE program IN %s", (tuple(f"assay-{name}" for name in WORKERS),))
        for name in workers:
            cursor.execute("INSERT INTO assay.heartbeats (program, host, pid, at) VALUES (%s, 'h', 1, now() - %s * interval '1 s')",
                           (f"assay-{name}", ago))


@pytest.fixture(autouse=True)
def alive():
    beat(*WORKERS, ago=-3600)


def fresh_nonce(call):
    return call("HEAD", NEW_NONCE).nonce


def signed(url, nonce, payload=b"", key=None, kid=None, break_signature=False):
    """The body of a POST; without a nonce when that is None."""
    jws = SIGNER.jws(url, payload, key=key, kid=kid, nonce=acme_client.DROP if nonce is None else nonce)
    if break_signature:
        jws["signature"] = ("B" if jws["signature"][0] == "A" else "A") + jws["signature"][1:]
    return json.dumps(jws).encode()


def post_as_get(call, path, key=None, nonce=None, **options):
    return call("POST", path, signed(f"{BASE}{path}", nonce or fresh_nonce(call), key=key, **options))


def add_account(key):
    account = uuid.uuid4()
    with psycopg2.connect("") as db, db.cursor() as cursor:
        cursor.execute("SELECT code FROM assay.account_new(%s, %s, %s, %s, %s, true, false)",
                       (str(account), unb64url(key.thumbprint),
                        json.dumps(key.jwk, sort_keys=True, separators=(",", ":")), os.urandom(32), []))
        assert cursor.fetchone()[0] == 0
    return account, f"{BASE}/acme/account/{b64url(account.bytes)}"


def test_the_directory_lists_the_resources(call):
    answer = call("GET", DIRECTORY)
    assert answer.status == 200
    assert answer["Content-Type"] == "application/json"
    assert answer["Cache-Control"] == "no-store"
    assert answer.nonce is None and answer["Link"] is None
    assert answer.json()["newNonce"] == f"{BASE}{NEW_NONCE}"
    assert answer.json()["newOrder"] == f"{BASE}/acme/new-order"


def test_head_is_get_without_the_body(call):
    get, head = call("GET", DIRECTORY), call("HEAD", DIRECTORY)
    assert head.status == 200 and head.body == b""
    assert head["Content-Length"] == get["Content-Length"] == str(len(get.body))


def test_new_nonce_answers_200_to_head_and_204_to_get(call):
    head, get = call("HEAD", NEW_NONCE), call("GET", NEW_NONCE)
    assert (head.status, get.status) == (200, 204)
    assert get.body == b"" and get["Content-Length"] is None
    assert head.nonce and get.nonce and head.nonce != get.nonce
    for answer in (head, get):
        assert answer["Cache-Control"] == "no-store"
        assert answer["Link"] == f'<{BASE}{DIRECTORY}>;rel="index"'


def test_a_browser_is_told_that_this_is_an_api(call):
    answer = call("GET", "/")
    assert answer.status == 200
    assert answer["Content-Type"].startswith("text/html")
    assert f'<a href="{BASE}{DIRECTORY}">'.encode() in answer.body
    assert b"https://www.example.org/?a=1&amp;b=2" in answer.body


def test_monitors_get_health_and_readiness(call):
    assert call("GET", "/health").json()["status"] == "alive"
    wait_for(lambda: call("GET", "/ready").status == 200)
    assert call("GET", "/ready").json() == {"status": "ready", "database": True, "redis": True, **dict.fromkeys(WORKERS, True)}


@pytest.mark.parametrize("method,uri,status", [
    ("GET", "/nothing", 404), ("GET", "/directory/", 404), ("GET", "//directory", 404), ("GET", "", 404),
    ("POST", "/acme/new-order", 404), ("PUT", DIRECTORY, 405), ("POST", "/health", 405), ("PATCH", NEW_NONCE, 405),
    ("GET", "/" + "a" * 3000, 414)])
def test_what_is_not_there_is_a_problem_document(call, method, uri, status):
    answer = call(method, uri)
    assert answer.status == status
    assert answer.problem == "malformed"
    assert answer.nonce and answer["Link"]
    if status == 405:
        assert answer["Allow"] == ("GET, HEAD, OPTIONS" if uri == "/health" else "GET, HEAD, POST, OPTIONS")


def test_a_browser_may_ask_before_it_posts(call):
    for uri, methods in ((NEW_NONCE, "GET, HEAD, POST, OPTIONS"), ("/health", "GET, HEAD, OPTIONS")):
        answer = call("OPTIONS", uri)
        assert (answer.status, answer.body, answer.nonce) == (204, b"", None)
        assert answer["Access-Control-Allow-Methods"] == answer["Allow"] == methods
        assert answer["Access-Control-Allow-Headers"] == "Content-Type"
        assert int(answer["Access-Control-Max-Age"]) > 0
    assert call("OPTIONS", "/nothing").status == 404
    assert call("GET", "/health").status == 200  # the connection goes on


def test_a_post_needs_type_size_user_agent_and_no_nonce_header(call, program):
    assert call("POST", DIRECTORY, b"{}", content_type="application/json").status == 415
    assert call("POST", DIRECTORY, b"{}", HTTP_USER_AGENT="").problem == "malformed"
    assert call("POST", DIRECTORY, b"{}", HTTP_REPLAY_NONCE="x").problem == "malformed"
    assert call("POST", DIRECTORY, b"{}").problem == "malformed"
    assert call("POST", DIRECTORY, b"").status == 415
    answer = call("POST", DIRECTORY, b"x" * 65537)
    assert answer.status == 413 and answer.problem == "malformed" and answer.nonce
    assert program.connect()("POST", DIRECTORY, b"12345", CONTENT_LENGTH="7").problem == "malformed"


@pytest.mark.parametrize("path", [DIRECTORY, NEW_NONCE])
def test_post_as_get_works_with_a_key(call, path):
    answer = post_as_get(call, path)
    assert answer.status == 200
    assert answer.nonce
    if path == DIRECTORY:
        assert answer.json()["newNonce"]


def test_a_nonce_is_good_once_and_its_refusal_brings_another(call):
    nonce, key = fresh_nonce(call), Key()
    assert post_as_get(call, DIRECTORY, key, nonce).status == 200
    again = post_as_get(call, DIRECTORY, key, nonce)
    assert (again.status, again.problem) == (400, "badNonce")
    assert post_as_get(call, DIRECTORY, key, again.nonce).status == 200


@pytest.mark.parametrize("nonce,problem", [("A" * 22, "badNonce"), ("A" * 21 + "*", "malformed"), ("x", "badNonce"),
                                           ("A" * 300, "badNonce")])
def test_a_foreign_nonce_is_refused(call, nonce, problem):
    answer = post_as_get(call, DIRECTORY, nonce=nonce)
    assert answer.status == 400
    assert answer.problem in (problem, "malformed")


def test_a_missing_nonce_is_a_bad_nonce(call):
    answer = call("POST", DIRECTORY, signed(f"{BASE}{DIRECTORY}", None))
    assert (answer.status, answer.problem) == (400, "badNonce")


def test_a_bad_signature_does_not_burn_the_nonce(call):
    nonce, key = fresh_nonce(call), Key()
    answer = post_as_get(call, DIRECTORY, key, nonce, break_signature=True)
    assert answer.status == 400 and answer.problem == "malformed"
    assert post_as_get(call, DIRECTORY, key, nonce).status == 200


def test_what_follows_the_signature_burns_it(call):
    nonce, key = fresh_nonce(call), Key()
    body = signed(f"{BASE}/elsewhere", nonce, key=key)
    answer = call("POST", DIRECTORY, body)
    assert (answer.status, answer.problem) == (403, "unauthorized")
    assert call("POST", DIRECTORY, body).problem == "badNonce"


def test_the_url_is_compared_with_its_query(call):
    body = signed(f"{BASE}{DIRECTORY}?a=%2f", fresh_nonce(call))
    assert call("POST", f"{DIRECTORY}?a=%2f", body).status == 200
    body = signed(f"{BASE}{DIRECTORY}?a=%2f", fresh_nonce(call))
    assert call("POST", f"{DIRECTORY}?a=%2F", body).problem == "unauthorized"


def test_post_as_get_has_no_payload(call):
    assert post_as_get(call, DIRECTORY, payload=b"{}").problem == "malformed"


def test_a_known_account_may_use_its_kid(call):
    key = Key()
    _, kid = add_account(key)
    assert post_as_get(call, DIRECTORY, key, kid=kid).status == 200
    assert post_as_get(call, DIRECTORY, Key(), kid=kid).problem == "malformed"


def test_an_unknown_account_does_not_exist(call):
    answer = post_as_get(call, DIRECTORY, kid=f"{BASE}/acme/account/{b64url(os.urandom(16))}")
    assert (answer.status, answer.problem) == (400, "accountDoesNotExist")
    assert answer.nonce


def test_ready_names_the_worker_that_is_missing(call):
    wait_for(lambda: call("GET", "/ready").status == 200)
    for name in WORKERS:
        beat(*(other for other in WORKERS if other != name))
        wait_for(lambda: call("GET", "/ready").status == 503)
        assert call("GET", "/ready").json() == {"status": "not ready", "database": True, "redis": True,
                                                **{other: other != name for other in WORKERS}}
        assert call("GET", DIRECTORY).status == call("HEAD", NEW_NONCE).status == 200
        beat(*WORKERS, ago=25)
        wait_for(lambda: call("GET", "/ready").status == 200)
    beat(*WORKERS, ago=31)
    wait_for(lambda: not any(call("GET", "/ready").json()[name] for name in WORKERS))


def test_a_deactivated_account_is_401(call):
    key = Key()
    account, kid = add_account(key)
    with psycopg2.connect("") as db, db.cursor() as cursor:
        cursor.execute("SELECT code FROM assay.account_deactivate(%s, %s)", (str(account), unb64url(key.thumbprint)))
    answer = post_as_get(call, DIRECTORY, key, kid=kid)
    assert (answer.status, answer.problem) == (401, "unauthorized")


@pytest.mark.parametrize("way", ["socket", "tcp"])
def test_without_redis_public_answers_go_on_and_signed_ones_ask_for_patience(start, conf, redis, way):
    conf.write(redis=conf.by_tcp() if way == "tcp" else None)
    program = start("assay-directory")
    program.errors_expected = True
    call = program.connect()
    key, nonce = Key(), fresh_nonce(call)
    redis.stop()
    try:
        assert call("GET", DIRECTORY).status == 200
        assert call("HEAD", NEW_NONCE).nonce
        answer = post_as_get(call, DIRECTORY, key, nonce)
        assert (answer.status, answer.problem) == (503, "serverInternal")
        assert int(answer["Retry-After"]) > 0
        assert answer.json()["detail"].split()[-1] in program.log()
        wait_for(lambda: call("GET", "/ready").status == 503)
    finally:
        redis.start()
    wait_for(lambda: call("GET", "/ready").status == 200)
    assert post_as_get(call, DIRECTORY, key).status == 200
    assert post_as_get(call, DIRECTORY, key, nonce).problem == "badNonce"


def test_without_postgresql_keys_work_and_accounts_ask_for_patience(start, conf):
    conf.write(database="host=/nonexistent dbname=assay")
    program = start("assay-directory")
    program.errors_expected = True
    call = program.connect()
    assert post_as_get(call, DIRECTORY).status == 200
    answer = post_as_get(call, DIRECTORY, kid=f"{BASE}/acme/account/{b64url(os.urandom(16))}")
    assert (answer.status, answer.problem) == (503, "serverInternal")
    assert answer["Retry-After"]
    answer = call("GET", "/ready")
    assert answer.status == 503 and (answer.json()["database"], answer.json()["redis"]) == (False, True)


def test_a_database_connection_that_died_while_idle_is_replaced_unnoticed(call):
    key = Key()
    _, kid = add_account(key)
    for _ in range(3):
        assert post_as_get(call, DIRECTORY, key, kid=kid).status == 200
        with psycopg2.connect("") as db, db.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                           "WHERE application_name = 'assay-directory'")
            assert cursor.rowcount >= 1
    assert post_as_get(call, DIRECTORY, key, kid=kid).status == 200


def test_a_program_shows_that_it_lives(program):
    def beating():
        with psycopg2.connect("") as db, db.cursor() as cursor:
            cursor.execute("SELECT 1 FROM assay.heartbeats WHERE program = 'assay-directory' AND pid = %s",
                           (program.process.pid,))
            return cursor.fetchone()

    wait_for(beating)


def test_sighup_takes_over_a_good_file_and_leaves_a_bad_one(program, call, conf):
    program.errors_expected = True
    conf.write(base_url="https://other.example.org")
    program.reload()
    wait_for(lambda: call("GET", DIRECTORY).json()["newNonce"].startswith("https://other.example.org"))
    conf.write(extra="[nonsense]\nkey = 1")
    program.reload()
    wait_for(lambda: "the old one stays" in program.log())
    assert call("GET", DIRECTORY).json()["newNonce"].startswith("https://other.example.org")


def test_stopping_closes_idle_connections_and_ends_at_once(program):
    kept = [program.connect() for _ in range(20)]
    for connection in kept:
        assert connection("GET", DIRECTORY).status == 200
    begun = time.monotonic()
    assert program.stop() == 0
    assert time.monotonic() - begun < 3
    for connection in kept:
        with pytest.raises(ConnectionError):
            connection("GET", DIRECTORY)


def test_a_stale_socket_is_replaced_and_a_live_one_is_not(program, start):
    assert os.stat(program.socket).st_mode & 0o777 == 0o660
    program.kill()
    second = start("assay-directory", path=program.socket)
    assert second.connect()("GET", DIRECTORY).status == 200
    third = start("assay-directory", path=program.socket, fails=True)
    assert third.process.returncode == 1
    assert "another process listens here" in third.log()
    assert second.stop() == 0
    assert not os.path.exists(program.socket)


def test_a_passed_socket_is_used_and_left_alone(start):
    program = start("assay-directory", systemd=True)
    assert program.connect()("GET", DIRECTORY).status == 200
    assert program.stop() == 0
    assert os.path.exists(program.socket)


def test_a_silent_peer_does_not_hold_up_the_others(program, call):
    silent = [program.connect() for _ in range(50)]
    for _ in range(20):
        assert call("GET", DIRECTORY).status == 200
    for connection in silent:
        connection.close()


def test_garbage_closes_its_connection_alone(program, call):
    for junk in (b"\x00" * 64, b"GET / HTTP/1.1\r\n\r\n", b"\x01\x05\x00\x01\x00\x00\x00\x00", os.urandom(200)):
        connection = program.connect()
        connection.sock.sendall(junk)
        connection.sock.shutdown(1)
        connection.sock.settimeout(5)
        while connection.sock.recv(4096):
            pass
        connection.close()
    assert call("GET", DIRECTORY).status == 200


def test_many_connections_at_once_keep_their_answers_apart(program):
    failures = []

    def client(n):
        key, connection = Key(), program.connect()
        nonce = fresh_nonce(connection)
        for i in range(30):
            if i % 3 == 0:
                path = f"/nothing/{n}/{i}"
                good = connection("GET", path).status == 404
            else:
                answer = post_as_get(connection, DIRECTORY if i % 2 else NEW_NONCE, key, nonce)
                nonce = answer.nonce
                good = answer.status == 200 and bool(answer.body) == bool(i % 2)
            if not good:
                failures.append((n, i))
        connection.close()

    threads = [threading.Thread(target=client, args=(n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


# --- renewal information (RFC 9773) ---

RENEWAL = "/acme/renewal-info"
KEY_ID = bytes(range(1, 21))


def make_issuer():
    """A certificate whose subject key identifier is KEY_ID."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "renewal test issuer")])
    now = datetime.datetime.utcnow()
    return (x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=400))
            .add_extension(x509.SubjectKeyIdentifier(KEY_ID), critical=False).sign(key, hashes.SHA256()))


@pytest.fixture(scope="module")
def certificate_id():
    """Of a certificate that is only a row: valid for ninety days, issued now."""
    serial = b"\x40" + int(time.time()).to_bytes(4, "big") + os.urandom(13)
    der = b"\x30\x82\x01\x00" + serial * 12 + b"signature"
    with psycopg2.connect("") as db, db.cursor() as cursor:
        cursor.execute("""INSERT INTO assay.issuers (sha256, name, certificate, chain_pem) VALUES (%s, 'ari', %s, '') RETURNING id""",
                       (os.urandom(32), make_issuer().public_bytes(serialization.Encoding.DER)))
        issuer = cursor.fetchone()[0]
        cursor.execute("""INSERT INTO assay.certificates (serial, order_id, account_id, not_before, not_after, issuer, spki_sha256,
                       names, tbs) VALUES (%s, %s, %s, now(), now() + interval '90 days - 1 second', %s, '', '{a.test}', %s)""",
                       (serial, str(uuid.uuid4()), str(uuid.uuid4()), issuer, serial * 12))
        cursor.execute("UPDATE assay.certificates SET der = %s, tbs = NULL, issued_at = now() WHERE serial = %s", (der, serial))
    return f"{b64url(KEY_ID)}.{b64url(serial)}"


def test_the_directory_names_renewal_information(call):
    assert call("GET", DIRECTORY).json()["renewalInfo"] == f"{BASE}{RENEWAL}"


def test_renewal_information_is_for_everybody_and_may_be_kept(call, certificate_id):
    got = call("GET", f"{RENEWAL}/{certificate_id}")
    assert (got.status, got["Content-Type"]) == (200, "application/json")
    assert set(got.json()) == {"suggestedWindow"} and set(got.json()["suggestedWindow"]) == {"start", "end"}
    assert 19440 <= int(got["Retry-After"]) <= 23760
    assert got["Cache-Control"] == "public, max-age=60" and got["X-Accel-Expires"] == "5"
    assert got.nonce is None, "what is kept must not hold a nonce"
    again, head = call("GET", f"{RENEWAL}/{certificate_id}?any=thing"), call("HEAD", f"{RENEWAL}/{certificate_id}")
    assert again.body == got.body and again["Retry-After"] == got["Retry-After"]
    assert head.status == 200 and head.body == b"" and head["Content-Length"] == str(len(got.body))


@pytest.mark.parametrize("path, status", [
    ("AAAA", 400), ("AAAA.", 400), (".AQ", 400), ("AA.AQ=", 400), ("AA.AQ.AQ", 400), ("AA.AAE", 400), ("%41A.AQ", 400),
    ("A" * 1000 + ".AQ", 400), ("AA.AQ", 404), ("AQIDBAUGBwgJCgsMDQ4PEBESExQ.QGkg5mABAgMEBQYHCAkKCwwN", 404),
    ("", 404), ("AA.AQ/", 404), ("AA.AQ/x", 404)])
def test_what_is_no_certificate_of_ours_has_no_renewal_information(call, path, status):
    got = call("GET", f"{RENEWAL}/{path}")
    assert got.status == status, got.body
    assert got["Content-Type"] == "application/problem+json" and got.json()["type"].endswith(":malformed")
    assert got["Cache-Control"] == "no-store" and got["X-Accel-Expires"] is None


def test_another_key_identifier_is_another_certificate(call, certificate_id):
    serial = certificate_id.split(".")[1]
    assert call("GET", f"{RENEWAL}/{b64url(KEY_ID[:19])}.{serial}").status == 404
    assert call("GET", f"{RENEWAL}/{b64url(bytes(20))}.{serial}").status == 404


def test_renewal_information_is_read_by_get_alone(call, certificate_id):
    path = f"{RENEWAL}/{certificate_id}"
    got = call("POST", path, signed(f"{BASE}{path}", fresh_nonce(call)))
    assert got.status == 405 and "POST" not in got["Allow"]


def test_many_ask_for_renewal_information_at_once(program, certificate_id):
    def ask(results):
        connection = program.connect()
        for _ in range(50):
            results.append(connection("GET", f"{RENEWAL}/{certificate_id}").status)
        connection.close()
    results = []
    threads = [threading.Thread(target=ask, args=(results,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [200] * 400


def test_without_the_database_renewal_information_is_away_and_the_rest_is_not(start, conf, certificate_id):
    conf.write(database="host=/nonexistent dbname=assay")
    program = start("assay-directory")
    program.errors_expected = True
    connection = program.connect()
    got = connection("GET", f"{RENEWAL}/{certificate_id}")
    assert got.status == 503 and int(got["Retry-After"]) > 0 and got["Cache-Control"] == "no-store"
    assert got.json()["type"].endswith(":serverInternal")
    assert connection("GET", DIRECTORY).status == 200 and connection("HEAD", NEW_NONCE).status == 200
    connection.close()
