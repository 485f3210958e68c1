"""Certificate status: responders' certificates, responses signed ahead and on request, and deaths at each step."""

import base64
import datetime
import os
import shutil
import stat
import subprocess
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp

from conftest import BUILD, Signer, assayctl, short, uuid7, wait_for

OCSP_SIGNER = f"{BUILD}/workers/ocsp_signer/assay-ocsp-signer"
OCSP_SIGNER_WITH_FAILPOINTS = f"{BUILD}/tests/signer/assay-ocsp-signer"
KEEPER = f"{BUILD}/workers/keeper/assay-keeper"
GOOD, REVOKED, UNKNOWN = ocsp.OCSPCertStatus.GOOD, ocsp.OCSPCertStatus.REVOKED, ocsp.OCSPCertStatus.UNKNOWN
HOUR = datetime.timedelta(hours=1)


class Program(Signer):
    """Any of the programs, with the same log and the same end."""

    def __init__(self, program, ca, folder, fail=None, conf=None):
        self.log_path = f"{folder}/{os.path.basename(program)}-{time.monotonic_ns()}.log"
        env = {name: value for name, value in os.environ.items() if name not in ("PGUSER", "PGHOST", "PGDATABASE")}
        env["ASAN_OPTIONS"] = "detect_leaks=0"
        if fail:
            env["ASSAY_FAILPOINT"] = fail
        if program == KEEPER:
            conf = f"{folder}/keeper-ocsp.conf"
            with open(ca.conf, encoding="utf-8") as text, open(conf, "w", encoding="utf-8") as out:
                out.write(text.read().replace("\n[workers]\n", "\n[workers]\nsweep = 1s\n").replace("= pki/", f"= {ca.dir}/pki/")
                          .replace("= secrets/", f"= {ca.dir}/secrets/"))
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([program, "-c", conf or ca.conf], stderr=log, stdin=subprocess.DEVNULL, env=env)


@pytest.fixture
def run(ca, database, redis, folder):
    """Starts programs, and sees to it that each ends well, unless it was killed."""
    running = []

    def start(program, **kwargs):
        running.append(Program(program, ca, folder, **kwargs))
        return running[-1]

    yield start
    for one in running:
        if one.process.poll() is None:
            assert one.stop() == 0, one.log()
        assert "Sanitizer" not in one.log(), one.log()


@pytest.fixture
def state_dir(ca):
    return f"{os.path.dirname(ca.dir)}/ocsp"


@pytest.fixture
def fresh(database, redis, state_dir):
    """No responder, no response, no key; what other tests issued, perhaps by the thousand, has expired."""
    database("ALTER TABLE certificates DISABLE TRIGGER ALL;"
             "UPDATE certificates SET not_after = now() WHERE not_after > now();"
             "ALTER TABLE certificates ENABLE TRIGGER ALL")
    forget(database)
    redis("DEL", "q:sign", "q:ocsp")
    shutil.rmtree(state_dir, ignore_errors=True)


def forget(database):
    database("ALTER TABLE responders DISABLE TRIGGER ALL; DELETE FROM responders; ALTER TABLE responders ENABLE TRIGGER ALL;"
             "DELETE FROM ocsp_responses; DELETE FROM ocsp_changes;"
             "UPDATE ocsp_duties SET worker = NULL, held_until = '-infinity', mark = ''")


@pytest.fixture
def service(fresh, run, signer, database):
    """Signer, keeper and OCSP signer at work, with a responder."""
    signer()
    run(KEEPER)
    one = run(OCSP_SIGNER)
    wait_for(lambda: "responder ready" in one.log(), what=lambda: f"a responder; it said: {one.log()}")
    return one


def issue(database, enqueue, name=None):
    order = database.order([name or f"{os.urandom(6).hex()}.example.org"])
    enqueue(order)
    wait_for(lambda: database.state(order).status == 3, what="a certificate")
    return database.certificate(order)


def serial_of(certificate):
    number = certificate.serial_number
    return number.to_bytes((number.bit_length() + 8) // 8, "big")


def stored(database, certificate):
    rows = database("SELECT * FROM ocsp_responses WHERE serial = %s", serial_of(certificate))
    return rows[0] if rows else None


def handed_out(database, certificate):
    """As a handler asks: the stored response, or None when one must be signed."""
    row = database.one("SELECT g.* FROM issuers i, ocsp_get(i.id, %s, 0) g ORDER BY i.id LIMIT 1", serial_of(certificate))
    return bytes(row.response) if row.code == 0 else None


def wait_stored(database, certificate, status, seconds=10):
    def found():
        response = handed_out(database, certificate)
        parsed = response and list(ocsp.load_der_ocsp_response(response).responses)
        return response if parsed and parsed[0].certificate_status == status else None
    return wait_for(found, seconds=seconds, what=f"a response that says {status}")


def openssl_says(ca, folder, certificate, response, algorithm="sha1"):
    """By OpenSSL's own client: signature, delegation, dates, and the status that it understood."""
    pem, der = f"{folder}/leaf.pem", f"{folder}/response.der"
    with open(pem, "wb") as out:
        out.write(certificate.public_bytes(serialization.Encoding.PEM))
    with open(der, "wb") as out:
        out.write(response)
    done = subprocess.run(["openssl", "ocsp", f"-{algorithm}", "-issuer", f"{ca.dir}/pki/issuer.pem", "-cert", pem, "-respin", der,
                           "-CAfile", f"{ca.dir}/pki/root.pem", "-verify_other", f"{ca.dir}/pki/issuer.pem", "-no_nonce"],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "Response verify OK" in done.stderr, done.stdout + done.stderr
    assert "WARNING" not in done.stderr and "WARNING" not in done.stdout, done.stderr + done.stdout
    return done.stdout


class Asker:
    """A handler without its HTTP: asks on the stream, hears on the channel."""

    def __init__(self, redis, ca):
        self.redis = redis
        self.heard = {}
        env = {**os.environ, "REDISCLI_AUTH": ca.password("redis", "assay-ocsp")}
        # redis-cli prints replies as text; the channel's messages come as escaped strings.
        self.process = subprocess.Popen(["redis-cli", "-s", redis.socket, "--user", "assay-ocsp", "--no-raw", "SUBSCRIBE", "ocsp"],
                                        stdout=subprocess.PIPE, env=env)
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()
        assert self.ready.wait(10)

    def listen(self):
        for line in self.process.stdout:
            self.ready.set()
            text = line.decode("ascii").strip()
            if text.startswith('3) "'):
                value = unescape(text[4:-1])
                self.heard[value[:22].decode("ascii")] = value[22:]

    def ask(self, issuer, serials, nonce=None, algorithm="1", until=None):
        reply = short(uuid7())
        words = ["r", reply, "i", str(issuer), "t", str(until or int((time.time() + 10) * 1e6))]
        command = b"XADD q:ocsp * " + " ".join(words).encode()
        if nonce:
            command += b' n "' + escape(nonce) + b'"'
        for serial in serials:
            command += b" " + algorithm.encode() + b' "' + escape(serial) + b'"'
        env = {**os.environ, "REDISCLI_AUTH": "tester"}
        subprocess.run(["redis-cli", "-s", self.redis.socket, "--user", "tester"], input=command + b"\n", check=True, env=env,
                       capture_output=True)
        return reply

    def answer(self, *args, **kwargs):
        reply = self.ask(*args, **kwargs)
        return wait_for(lambda: self.heard.get(reply), what="a reply")

    def stop(self):
        self.process.terminate()
        self.process.wait()


def escape(value):
    return "".join(f"\\x{octet:02x}" for octet in value).encode()


def unescape(text):
    out, i = bytearray(), 0
    while i < len(text):
        if text[i] != "\\":
            out.append(ord(text[i]))
            i += 1
        elif text[i + 1] == "x":
            out.append(int(text[i + 2:i + 4], 16))
            i += 4
        else:
            out.append({"n": 10, "r": 13, "t": 9, "a": 7, "b": 8}.get(text[i + 1], ord(text[i + 1])))
            i += 2
    return bytes(out)


@pytest.fixture
def asker(redis, ca):
    one = Asker(redis, ca)
    yield one
    one.stop()


def number(database):
    return database.one("SELECT id FROM issuers ORDER BY id LIMIT 1").id


# --- responders ------------------------------------------------------------------------------------------------------


def test_a_responder_gets_its_certificate(ca, database, service, state_dir):
    row = database.one("SELECT * FROM responders")
    certificate = x509.load_der_x509_certificate(bytes(row.der))
    assert certificate.issuer == ca.pem("issuer").subject and certificate.subject != certificate.issuer
    assert [e.oid.dotted_string for e in certificate.extensions] == ["2.5.29.15", "2.5.29.37", "1.3.6.1.5.5.7.48.1.5", "2.5.29.35",
                                                                      "2.5.29.14"]
    assert certificate.not_valid_after - certificate.not_valid_before == datetime.timedelta(days=30) + HOUR - HOUR / 3600
    assert serial_of(certificate) == bytes(row.serial)
    serial = database.one("SELECT * FROM serials WHERE serial = %s", row.serial)
    assert serial.burnt_at is None and serial.order_id == row.id
    actions = [r.action for r in database("SELECT action FROM audit_log WHERE object IN (%s, %s) ORDER BY xid, id", str(row.id),
                                          bytes(row.serial).hex())]
    assert actions == ["responder.register", "responder.reserve", "responder.issue"]
    files = [name for name in os.listdir(state_dir) if name.endswith(".key")]
    assert len(files) == 1 and stat.S_IMODE(os.stat(state_dir).st_mode) == 0o700
    assert stat.S_IMODE(os.stat(f"{state_dir}/{files[0]}").st_mode) == 0o400
    listed = assayctl("-c", ca.conf, "responders").stdout
    assert base64.urlsafe_b64encode(row.id.bytes).rstrip(b"=").decode() in listed and "main" in listed


def test_a_restart_keeps_the_responder(run, service, database):
    assert service.stop() == 0
    again = run(OCSP_SIGNER)
    wait_for(lambda: "responder ready" in again.log(), what="the responder of before")
    assert database.one("SELECT count(*) FROM responders").count == 1


def test_processes_share_a_responder(fresh, run, signer, database):
    signer()
    run(KEEPER)
    three = [run(OCSP_SIGNER) for _ in range(3)]
    for one in three:
        wait_for(lambda one=one: "responder ready" in one.log(), what=lambda one=one: f"a responder; it said {one.log()}")
    assert database.one("SELECT count(*) FROM responders").count == 1


@pytest.mark.parametrize("step", ["responder_key_made", "responder_registered"])
def test_the_worker_dies_while_it_makes_one(fresh, run, signer, database, state_dir, step):
    signer()
    run(KEEPER)
    assert run(OCSP_SIGNER_WITH_FAILPOINTS, fail=step).process.wait(timeout=20) == -9
    keys = [name for name in os.listdir(state_dir) if name.endswith(".key")]
    again = run(OCSP_SIGNER)
    wait_for(lambda: "responder ready" in again.log(), what=lambda: f"a responder; it said {again.log()}")
    # Nothing is thrown away: the key that was made is the one that is certified.
    assert [name for name in os.listdir(state_dir) if name.endswith(".key")] == keys
    assert database.one("SELECT count(*) FROM responders").count == 1


@pytest.mark.parametrize("step,burnt", [("responder_claimed", 0), ("responder_reserved", 1), ("responder_signed", 1),
                                        ("responder_issued", 0)])
def test_the_signer_dies_while_it_certifies_one(fresh, run, signer, database, step, burnt):
    before = database.one("SELECT count(*) FROM serials WHERE burnt_at IS NOT NULL").count
    one = signer(fail=step)
    run(KEEPER)
    worker = run(OCSP_SIGNER)
    assert one.process.wait(timeout=20) == -9
    signer()
    database("UPDATE responders SET held_until = NULL, due_at = now() WHERE due_at IS NOT NULL")
    wait_for(lambda: "responder ready" in worker.log(), seconds=30, what=lambda: f"a responder; it said {worker.log()}")
    row = database.one("SELECT * FROM responders")
    serials = database("SELECT * FROM serials WHERE order_id = %s", row.id)
    assert [bytes(s.serial) for s in serials if s.burnt_at is None] == [bytes(row.serial)]
    assert database.one("SELECT count(*) FROM serials WHERE burnt_at IS NOT NULL").count - before == burnt


def test_a_refused_key_is_thrown_away(fresh, run, database, state_dir):
    worker = run(OCSP_SIGNER)
    row = wait_for(lambda: database("SELECT id FROM responders"), what="a registration")[0]
    database("SELECT responder_end(%s, 'no')", row.id)
    wait_for(lambda: not [n for n in os.listdir(state_dir) if n.endswith(".key")], what="the key to go")
    assert worker.events("the signer refused a responder")[0]["cause"] == "no"
    time.sleep(1.5)
    assert database.one("SELECT count(*) FROM responders").count == 1, "not one after the other"


def age(database, days):
    """The responder's certificate is that much older, for whoever asks the database."""
    database("ALTER TABLE responders DISABLE TRIGGER responders_guard;"
             f"UPDATE responders SET not_before = not_before - interval '{days} days', not_after = not_after - interval '{days} days';"
             "ALTER TABLE responders ENABLE TRIGGER responders_guard")


def test_a_responder_is_replaced_in_time(service, run, database, enqueue, ca, folder, state_dir):
    assert service.stop() == 0
    age(database, 21)
    again = run(OCSP_SIGNER)
    wait_for(lambda: len(again.events("responder ready")) == 2, what="a second responder")
    assert database.one("SELECT count(*) FROM responders WHERE der IS NOT NULL").count == 2
    certificate = issue(database, enqueue)
    response = ocsp.load_der_ocsp_response(wait_stored(database, certificate, GOOD))
    newest = database.one("SELECT der FROM responders ORDER BY not_after DESC LIMIT 1")
    assert response.certificates[0].public_bytes(serialization.Encoding.DER) == bytes(newest.der)


def test_an_expired_responder_signs_nothing(service, run, database, signer, enqueue, asker):
    assert service.stop() == 0
    certificate = issue(database, enqueue)
    age(database, 40)
    again = run(OCSP_SIGNER)
    wait_for(lambda: "made a new responder's key" in again.log(), what="a new key")
    ready = wait_for(lambda: again.events("responder ready"), what="its certificate")
    assert len(ready) == 1
    response = ocsp.load_der_ocsp_response(wait_stored(database, certificate, GOOD))
    live = database.one("SELECT der FROM responders WHERE not_after > now()")
    assert response.certificates[0].public_bytes(serialization.Encoding.DER) == bytes(live.der)


def test_a_folder_that_others_may_enter_is_refused(fresh, run, state_dir):
    os.mkdir(state_dir, mode=0o755)
    os.chmod(state_dir, 0o755)
    worker = run(OCSP_SIGNER)
    assert worker.process.wait(timeout=10) == 1
    assert "mode 0700" in worker.log()


# --- signing ahead ---------------------------------------------------------------------------------------------------


def test_a_new_certificate_has_a_response_within_seconds(service, database, enqueue, ca, folder):
    certificate = issue(database, enqueue)
    aia = certificate.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    assert [(a.access_method, a.access_location.value) for a in aia][0] == (x509.oid.AuthorityInformationAccessOID.OCSP,
                                                                             "http://ocsp.example.org")
    response = wait_stored(database, certificate, GOOD, seconds=5)
    for algorithm in ("sha1", "sha256"):
        assert ": good" in openssl_says(ca, folder, certificate, response, algorithm)
    parsed = ocsp.load_der_ocsp_response(response)
    names = list(parsed.responses)
    assert [type(n.hash_algorithm) for n in names] == [hashes.SHA1, hashes.SHA256]
    assert {n.serial_number for n in names} == {certificate.serial_number}
    row = stored(database, certificate)
    assert names[0].next_update - names[0].this_update == datetime.timedelta(days=4)
    assert row.next_update - row.this_update == datetime.timedelta(days=4)
    # Half of it is two days.
    assert datetime.timedelta(days=1.5) < row.refresh_at - row.this_update < datetime.timedelta(days=2)


def test_what_was_issued_before_gets_one_too(fresh, run, signer, database, enqueue):
    signer()
    before = [issue(database, enqueue) for _ in range(3)]
    run(KEEPER)
    run(OCSP_SIGNER)
    for certificate in before:
        wait_stored(database, certificate, GOOD, seconds=15)


def test_a_revocation_shows(service, database, enqueue, ca, folder):
    certificate = issue(database, enqueue)
    wait_stored(database, certificate, GOOD)
    database("SELECT certificate_revoke(%s, 4, 'test')", serial_of(certificate))
    assert handed_out(database, certificate) is None or \
        list(ocsp.load_der_ocsp_response(handed_out(database, certificate)).responses)[0].certificate_status == REVOKED
    response = wait_stored(database, certificate, REVOKED, seconds=5)
    for algorithm in ("sha1", "sha256"):
        said = openssl_says(ca, folder, certificate, response, algorithm)
        assert ": revoked" in said and "Reason: superseded" in said
    # Later it is known that the key is.
    database("SELECT certificate_revoke(%s, 1, 'test')", serial_of(certificate))
    wait_for(lambda: handed_out(database, certificate) and "Reason: keyCompromise" in openssl_says(
        ca, folder, certificate, handed_out(database, certificate)), what="the other reason")
    revoked = database.one("SELECT revoked_at FROM certificates WHERE serial = %s", serial_of(certificate)).revoked_at
    single = list(ocsp.load_der_ocsp_response(handed_out(database, certificate)).responses)[0]
    assert abs(single.revocation_time.replace(tzinfo=datetime.timezone.utc) - revoked).total_seconds() < 1
    wait_for(lambda: database.one("SELECT count(*) FROM ocsp_changes").count == 0, what="nothing left to tell")


def test_a_burnt_serial_is_revoked_and_a_reserved_one_never_good(fresh, run, signer, database, redis, enqueue, asker):
    order = database.order(["burnt.example.org"])
    one = signer(fail="recorded")
    enqueue(order)
    assert one.process.wait(timeout=20) == -9
    reserved = database.certificates(order)[0]
    signer()
    run(KEEPER)
    worker = run(OCSP_SIGNER)
    wait_for(lambda: "responder ready" in worker.log(), what="a responder")
    reply = ocsp.load_der_ocsp_response(asker.answer(number(database), [bytes(reserved.serial)]))
    assert reply.response_status == ocsp.OCSPResponseStatus.UNAUTHORIZED or \
        list(reply.responses)[0].certificate_status == REVOKED
    database("UPDATE orders SET held_until = NULL, due_at = now() WHERE id = %s AND status = 2", order)
    wait_for(lambda: database.state(order).status == 3, what="the order to go on")
    burnt = wait_for(lambda: database("SELECT * FROM ocsp_responses WHERE serial = %s", reserved.serial), what="its status")[0]
    single = list(ocsp.load_der_ocsp_response(bytes(burnt.response)).responses)[0]
    assert single.certificate_status == REVOKED and single.revocation_reason == x509.ReasonFlags.superseded


def test_what_is_due_is_signed_again(service, database, enqueue):
    certificate = issue(database, enqueue)
    wait_stored(database, certificate, GOOD)
    first = stored(database, certificate)
    time.sleep(1.1)
    database("UPDATE ocsp_responses SET refresh_at = now() WHERE serial = %s", serial_of(certificate))
    wait_for(lambda: stored(database, certificate).this_update > first.this_update, what="a newer response")
    assert stored(database, certificate).refresh_at > first.refresh_at


def test_two_workers_share_the_work(service, run, database, enqueue, redis):
    other = run(OCSP_SIGNER)
    wait_for(lambda: "responder ready" in other.log(), what="the other worker")
    orders = [database.order([f"{os.urandom(6).hex()}.example.org"]) for _ in range(20)]
    enqueue(*orders)
    wait_for(lambda: all(database.state(order).status == 3 for order in orders), what="certificates")
    certificates = [database.certificate(order) for order in orders]
    for certificate in certificates:
        wait_stored(database, certificate, GOOD)
    # One of them has each duty; when it is killed, the other one takes it over.
    holders = {row.worker for row in database("SELECT worker FROM ocsp_duties")}
    assert len(holders) == 1
    service.process.kill()
    service.process.wait()
    database("UPDATE ocsp_duties SET held_until = now() + interval '1 second'")
    late = issue(database, enqueue)
    wait_stored(database, late, GOOD)
    assert other.process.poll() is None


# --- on request ------------------------------------------------------------------------------------------------------


def test_a_nonce_is_signed_live(service, database, enqueue, asker, ca, folder):
    certificate = issue(database, enqueue)
    wait_stored(database, certificate, GOOD)
    with open(f"{folder}/leaf2.pem", "wb") as out:
        out.write(certificate.public_bytes(serialization.Encoding.PEM))
    for algorithm in ("sha1", "sha256"):
        request_path = f"{folder}/request.der"
        subprocess.run(["openssl", "ocsp", f"-{algorithm}", "-issuer", f"{ca.dir}/pki/issuer.pem", "-cert", f"{folder}/leaf2.pem",
                        "-nonce", "-reqout", request_path], check=True, capture_output=True)
        with open(request_path, "rb") as text:
            request = ocsp.load_der_ocsp_request(text.read())
        nonce = request.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce
        # OpenSSL wraps it in an OCTET STRING of its own.
        nonce = nonce[2:] if nonce[:1] == b"\x04" and nonce[1] == len(nonce) - 2 else nonce
        response = asker.answer(number(database), [serial_of(certificate)], nonce=nonce, algorithm="1" if algorithm == "sha1" else "2")
        said = openssl_says(ca, folder, certificate, response, algorithm)
        assert ": good" in said
        parsed = ocsp.load_der_ocsp_response(response)
        assert parsed.extensions.get_extension_for_class(x509.OCSPNonce) == request.extensions.get_extension_for_class(x509.OCSPNonce)
        assert len(list(parsed.responses)) == 1


def test_what_is_missing_is_signed_and_kept(service, database, enqueue, asker):
    certificate = issue(database, enqueue)
    wait_stored(database, certificate, GOOD)
    database("DELETE FROM ocsp_responses WHERE serial = %s", serial_of(certificate))
    response = asker.answer(number(database), [serial_of(certificate)])
    wait_for(lambda: handed_out(database, certificate), what="it to be kept")
    # Unless signing ahead was quicker, it is what was answered.
    kept = ocsp.load_der_ocsp_response(handed_out(database, certificate))
    assert list(kept.responses)[0].certificate_status == GOOD and kept.produced_at >= \
        ocsp.load_der_ocsp_response(response).produced_at


def test_several_in_one_request_and_unknown_ones(service, database, enqueue, asker):
    one, two = issue(database, enqueue), issue(database, enqueue)
    database("SELECT certificate_revoke(%s, 5, 'test')", serial_of(two))
    strange = b"\x40" + os.urandom(17)
    nonce = os.urandom(32)
    response = ocsp.load_der_ocsp_response(asker.answer(number(database), [serial_of(one), strange, serial_of(two)], nonce=nonce,
                                                        algorithm="2"))
    assert [r.certificate_status for r in response.responses] == [GOOD, UNKNOWN, REVOKED]
    for serials, issuer in ((([strange]), number(database)), ([serial_of(one)], 999), ([b"\x01"], number(database))):
        for given in (None, nonce):
            reply = ocsp.load_der_ocsp_response(asker.answer(issuer, serials, nonce=given))
            assert reply.response_status == ocsp.OCSPResponseStatus.UNAUTHORIZED


def test_who_cannot_sign_says_try_later(fresh, run, database, signer, enqueue, asker):
    signer()
    certificate = issue(database, enqueue)
    run(OCSP_SIGNER)  # without a keeper nobody certifies its key
    reply = ocsp.load_der_ocsp_response(asker.answer(number(database), [serial_of(certificate)]))
    assert reply.response_status == ocsp.OCSPResponseStatus.TRY_LATER


def test_never_issued_may_be_called_revoked(service, run, ca, database, enqueue, asker):
    certificate = issue(database, enqueue)
    responder = database.one("SELECT serial FROM responders")
    assert service.stop() == 0
    conf = f"{ca.dir}/revoked.conf"
    with open(ca.conf, encoding="utf-8") as text, open(conf, "w", encoding="utf-8") as out:
        out.write(text.read().replace("[ocsp]", "[ocsp]\nnever_issued = revoked"))
    worker = run(OCSP_SIGNER, conf=conf)
    wait_for(lambda: "responder ready" in worker.log(), what="a responder")
    der = asker.answer(number(database), [b"\x40" + os.urandom(17)])
    single = list(ocsp.load_der_ocsp_response(der).responses)[0]
    assert single.certificate_status == REVOKED and single.revocation_time == datetime.datetime(1970, 1, 1)
    assert single.revocation_reason == x509.ReasonFlags.certificate_hold
    assert b"\x06\x09\x2b\x06\x01\x05\x05\x07\x30\x01\x09" in der, "extended-revoke"
    # What is known is what it is, and a responder's serial was issued.
    assert list(ocsp.load_der_ocsp_response(asker.answer(number(database), [serial_of(certificate)])).responses)[0] \
        .certificate_status == GOOD
    assert ocsp.load_der_ocsp_response(asker.answer(number(database), [bytes(responder.serial)])).response_status \
        == ocsp.OCSPResponseStatus.UNAUTHORIZED


def test_nothing_is_good_after_expiry(service, database, enqueue, asker):
    certificate = issue(database, enqueue)
    wait_stored(database, certificate, GOOD)
    database("ALTER TABLE certificates DISABLE TRIGGER certificates_fixed;"
             "UPDATE certificates SET not_after = now() WHERE serial = %s;"
             "ALTER TABLE certificates ENABLE TRIGGER certificates_fixed", serial_of(certificate))
    assert handed_out(database, certificate) is None
    reply = ocsp.load_der_ocsp_response(asker.answer(number(database), [serial_of(certificate)]))
    assert reply.response_status == ocsp.OCSPResponseStatus.UNAUTHORIZED
