"""Orders that a signer signs, postpones and refuses; what it believes, and what it does not."""

import base64
import datetime
import json
import os
import shutil
import signal
import socket
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from conftest import SIGNER, Ca, make_csr, short, uuid7, wait_for

PENDING, READY, PROCESSING, VALID, INVALID = range(5)


def verify(ca, der, host):
    """By OpenSSL's own program: the path, strictly, and the host name."""
    pem = "-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der).decode() + "-----END CERTIFICATE-----\n"
    done = subprocess.run(["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-verify_hostname", host, "-CAfile",
                           f"{ca.dir}/pki/root.pem", "-untrusted", f"{ca.dir}/pki/issuer.pem"], input=pem, text=True,
                          capture_output=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout


def wait_valid(database, *orders):
    for order in orders:
        wait_for(lambda: database.state(order).status in (VALID, INVALID), what="a final order")
        state = database.state(order)
        assert state.status == VALID, state.error


def test_an_order_becomes_a_certificate(ca, database, redis, signer, enqueue):
    signer()
    order = database.order(["example.org", "*.example.org", "www.example.org"])
    enqueue(order)
    wait_valid(database, order)
    row = [row for row in database.certificates(order) if row.der][0]
    verify(ca, bytes(row.der), "anything.example.org")
    certificate = database.certificate(order)
    assert certificate.issuer == ca.pem("issuer").subject
    assert certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(
        x509.DNSName) == ["*.example.org", "example.org", "www.example.org"]
    validity = certificate.not_valid_after - certificate.not_valid_before + datetime.timedelta(seconds=1)
    assert validity == datetime.timedelta(days=90)
    assert certificate.serial_number == int.from_bytes(bytes(row.serial), "big")
    state = database.state(order)
    assert bytes(state.serial) == bytes(row.serial) and state.due_at is None
    actions = [r.action for r in database("SELECT action FROM audit_log WHERE object = %s ORDER BY id", bytes(row.serial).hex())]
    assert actions == ["certificate.reserve", "certificate.issue"]
    wait_for(lambda: redis("XLEN", "q:sign") == "0", what="an empty stream")


def test_the_issuer_is_registered_with_its_chain(ca, database, signer):
    signer()
    row = database.one("SELECT * FROM issuers")
    assert row.name == "main"
    with open(f"{ca.dir}/pki/issuer.pem", encoding="ascii") as text:
        assert row.chain_pem.strip() == text.read().strip()


def test_clients_are_woken(database, redis, signer, enqueue):
    signer()
    listener = subprocess.Popen(["redis-cli", "-s", redis.socket, "--user", "tester", "SUBSCRIBE", "done"],
                                stdout=subprocess.PIPE, text=True, env={**os.environ, "REDISCLI_AUTH": "tester"})
    try:
        for _ in range(3):
            listener.stdout.readline()
        order = database.order(["wake.example.org"])
        enqueue(order)
        heard = [listener.stdout.readline().strip() for _ in range(3)]
        assert heard[:2] == ["message", "done"] and short(order) in heard[2]
    finally:
        listener.kill()
        listener.wait()


@pytest.mark.parametrize("make_key", [lambda: ec.generate_private_key(ec.SECP384R1()),
                                      lambda: rsa.generate_private_key(65537, 2048)], ids=["p384", "rsa2048"])
def test_other_kinds_of_keys(ca, database, signer, enqueue, make_key):
    signer()
    order = database.order(["keys.example.org"], key=make_key(), profile="classic")
    enqueue(order)
    wait_valid(database, order)
    assert database.certificate(order).subject.rfc4514_string() == "CN=keys.example.org"


def test_the_profile_decides_the_validity(database, signer, enqueue):
    signer()
    order = database.order(["short.example.org"], profile="six_days")
    enqueue(order)
    wait_valid(database, order)
    certificate = database.certificate(order)
    assert (certificate.not_valid_after - certificate.not_valid_before).total_seconds() + 1 == 6 * 86400


def test_a_batch_is_signed_whole_and_each_order_once(database, signer, enqueue):
    """Two signers, each order queued three times."""
    orders = [database.order([f"n{i}.example.org"]) for i in range(60)]
    for _ in range(3):
        enqueue(*orders)
    signer(), signer()
    wait_valid(database, *orders)
    assert database.one("SELECT count(*) FROM certificates WHERE der IS NOT NULL AND order_id = ANY (%s)", orders).count == 60
    assert database.one("SELECT count(*) FROM certificates WHERE order_id = ANY (%s)", orders).count == 60


def test_what_the_queue_says_is_not_believed(database, redis, signer, enqueue):
    """Unknown, finished and foreign ids, junk: acknowledged, and nothing comes of them."""
    one = signer()
    done = database.order(["done.example.org"])
    enqueue(done)
    wait_valid(database, done)
    ready = uuid7()
    database("INSERT INTO orders (id, account_id, expires_at, status, outstanding, profile, names, authz_ids)"
             " VALUES (%s, %s, now() + interval '1 day', 1, 0, 'default', '{a.example.org}', %s)", ready, database.account(),
             [uuid7()])
    before = database.one("SELECT count(*) FROM certificates").count
    enqueue(done, uuid7(), ready)
    for words in (["s", "x"], ["s", "A" * 22], ["z", short(done)], ["s", "\r\n" * 1000], ["nothing", ""]):
        redis("XADD", "q:sign", "*", *words)
    wait_for(lambda: redis("XLEN", "q:sign") == "0", what="an empty stream")
    assert database.one("SELECT count(*) FROM certificates").count == before
    assert database.state(ready).status == READY
    assert one.process.poll() is None


def refused(database, enqueue, order):
    enqueue(order)
    wait_for(lambda: database.state(order).status in (VALID, INVALID), what="a refusal")
    state = database.state(order)
    assert state.status == INVALID and database.certificates(order) == []
    problem = json.loads(state.error)
    assert problem["type"].startswith("urn:ietf:params:acme:error:")
    return problem["type"].rsplit(":", 1)[1], problem


def test_refusals_between_finalize_and_signing(database, signer, enqueue):
    """What was good when the client finalized and is no longer: T7 of the threat list, one row each."""
    signer()

    order = database.order(["a.example.org", "b.example.org"])
    database("UPDATE authorizations SET status = 3 WHERE id = %s", database.state(order).authz_ids[1])
    kind, problem = refused(database, enqueue, order)
    assert kind == "unauthorized" and "b.example.org" in json.dumps(problem)

    account = database.account()
    order = database.order(["c.example.org"], account=account)
    database("UPDATE accounts SET status = 1, closed_at = now() WHERE id = %s", account)
    assert refused(database, enqueue, order)[0] == "unauthorized"

    order = database.order(["d.example.org"], profile="no_longer_offered")
    assert refused(database, enqueue, order)[0] == "invalidProfile"

    order = database.order(["e.example.org"], csr=make_csr(["evil.example.org"], ec.generate_private_key(ec.SECP256R1())))
    assert refused(database, enqueue, order)[0] == "badCSR"

    order = database.order(["f.example.org"])
    database("INSERT INTO blocked_keys (spki_sha256, reason) VALUES (%s, 'test')", database.state(order).spki_sha256)
    assert refused(database, enqueue, order)[0] == "badCSR"

    order = database.order(["g.example.org"])
    database("INSERT INTO accounts (id, terms_agreed, thumbprint, jwk, contacts) VALUES (%s, true, %s, '{}', '{}')", uuid7(),
             database.state(order).key_thumbprint)
    assert refused(database, enqueue, order)[0] == "badCSR"


def test_old_caa_results_are_looked_up_again_first(database, redis, signer, enqueue):
    signer()
    redis("DEL", "q:val")
    order = database.order(["caa.example.org"])
    authz = database.state(order).authz_ids[0]
    database("UPDATE authorizations SET caa_at = now() - interval '7 hours 1 second' WHERE id = %s", authz)
    enqueue(order)
    wait_for(lambda: database.state(order).caa_due, what="a postponement")
    wait_for(lambda: short(order) in redis("XRANGE", "q:val", "-", "+"), what="a job for the validators")
    assert database.certificates(order) == []
    # As the validator would.
    database("UPDATE authorizations SET caa_at = now() WHERE id = %s", authz)
    database("UPDATE orders SET caa_due = false WHERE id = %s", order)
    enqueue(order)
    wait_valid(database, order)


def test_no_signing_while_the_clocks_disagree(database, redis, signer, enqueue):
    if not shutil.which("faketime"):
        pytest.skip("faketime is not installed")
    with open(SIGNER, "rb") as program:
        if b"__asan_init" in program.read():
            pytest.skip("libfaketime and AddressSanitizer cannot share a process")
    # What faketime would set, without faketime in between: a signal to that would leave the signer behind.
    faked = subprocess.check_output(["faketime", "-f", "+1h", "env"], text=True).splitlines()
    preload = next(line for line in faked if line.startswith("LD_PRELOAD="))
    one = signer(prefix=("env", preload, "FAKETIME=+1h"))
    order = database.order(["clock.example.org"])
    enqueue(order)
    wait_for(lambda: "disagree" in one.log(), what="a complaint about the clock")
    wait_for(lambda: redis("XLEN", "q:sign") == "0", what="an acknowledged job")
    assert database.state(order).status == PROCESSING and database.state(order).attempt == 0
    one.stop()
    signer()
    enqueue(order)
    wait_valid(database, order)


def test_a_reload_takes_a_new_issuer_and_keeps_the_old_one_when_it_is_broken(ca, database, signer, enqueue, folder):
    """A rollover as an operator would do it: write the files, SIGHUP, see."""
    one = signer()
    with open(ca.conf, encoding="utf-8") as text:
        original = text.read()
    try:
        with open(ca.conf, "w", encoding="utf-8") as out:
            out.write(original.replace("certificate = pki/issuer.pem", "certificate = pki/root.pem"))
        one.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "issuers from before stay in use" in one.log(), what="a refused reload")
        order = database.order(["old.example.org"])
        enqueue(order)
        wait_valid(database, order)
        # Its lists would take the place of those that the old one's certificates name.
        other = Ca(f"{folder}/other")
        with open(ca.conf, "w", encoding="utf-8") as out:
            out.write(original.replace("pki/issuer", f"{other.dir}/pki/issuer"))
        one.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "another issuer's files have the same path" in one.log(), what="a refused reload")
        with open(ca.conf, "w", encoding="utf-8") as out:
            out.write(original.replace("pki/issuer", f"{other.dir}/pki/issuer").replace("example.org/issuer.c", "example.org/other.c"))
        one.process.send_signal(signal.SIGHUP)
        wait_for(lambda: len(one.events("issuer ready")) == 2, what="a reload")
        order = database.order(["new.example.org"])
        enqueue(order)
        wait_valid(database, order)
        verify(other, bytes(database.certificates(order)[0].der), "new.example.org")
    finally:
        with open(ca.conf, "w", encoding="utf-8") as out:
            out.write(original)


def test_a_key_that_others_can_read_is_not_used(ca, signer):
    key = f"{ca.dir}/pki/issuer.key"
    os.chmod(key, 0o440)
    try:
        one = signer(ready=False)
        assert one.process.wait(timeout=20) != 0
        assert "others may have read it" in one.log()
    finally:
        os.chmod(key, 0o400)


def test_the_release_build_has_no_failpoints():
    with open(SIGNER, "rb") as program:
        assert b"ASSAY_FAILPOINT" not in program.read()


def test_its_memory_cannot_be_read_by_its_own_user(signer):
    one = signer()
    with open(f"/proc/{one.process.pid}/limits", encoding="ascii") as limits:
        assert [line.split()[4] for line in limits if line.startswith("Max core file size")] == ["0"]
    assert os.stat(f"/proc/{one.process.pid}/mem").st_uid == 0


def test_a_signer_stops_when_told(signer):
    one = signer()
    assert one.stop() == 0


def test_the_service_manager_hears_of_start_life_and_stop(signer, folder, monkeypatch):
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(f"{folder}/notify")
    manager.settimeout(10)
    monkeypatch.setenv("NOTIFY_SOCKET", f"{folder}/notify")
    monkeypatch.setenv("WATCHDOG_USEC", "1500000")
    running = signer()
    assert manager.recv(100) == b"READY=1"
    assert [manager.recv(100) for _ in range(4)] == 4 * [b"WATCHDOG=1"]
    # A main loop that hangs does not feed it.
    running.process.send_signal(signal.SIGSTOP)
    manager.settimeout(0.2)
    with pytest.raises(TimeoutError):
        while True:
            manager.recv(100)
    manager.settimeout(1)
    with pytest.raises(TimeoutError):
        manager.recv(100)
    running.process.send_signal(signal.SIGCONT)
    assert running.stop() == 0
    heard = []
    with pytest.raises(TimeoutError):
        while True:
            heard.append(manager.recv(100))
    assert b"STOPPING=1" in heard
    manager.close()
