"""assay-ocsp over its socket: real requests and responses, a real PostgreSQL and Redis; the signer's part is played here."""

import base64
import datetime
import os
import socket
import threading
import time
import urllib.parse

import psycopg2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp

from conftest import wait_for

SHA1, SHA256 = hashes.SHA1(), hashes.SHA256()
TYPE = "application/ocsp-request"
MALFORMED, TRY_LATER, UNAUTHORIZED = (b"\x30\x03\x0a\x01" + bytes([code]) for code in (1, 3, 6))
HOUR = datetime.timedelta(hours=1)


def utcnow():
    return datetime.datetime.utcnow().replace(microsecond=0)


def make_certificate(name, key, signer=None, signer_name=None, serial=None):
    signer_name = signer_name or name
    now = utcnow()
    return (x509.CertificateBuilder().subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, signer_name)])).public_key(key.public_key())
            .serial_number(serial or x509.random_serial_number()).not_valid_before(now - HOUR)
            .not_valid_after(now + 2000 * HOUR).sign(signer or key, SHA256))


def new_serial():
    return b"\x40" + int(time.time()).to_bytes(4, "big") + os.urandom(13)


class Authority:
    """An issuer with certificates in the database, and its responses."""

    def __init__(self, name):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.cert = make_certificate(name, self.key)
        self.name = name
        der = self.cert.public_bytes(serialization.Encoding.DER)
        self.sha256 = self.cert.fingerprint(SHA256)
        sql("SELECT assay.issuer_register(%s, %s, 'chain', %s)", self.sha256, der, name)
        self.id = sql("SELECT id FROM assay.issuers WHERE sha256 = %s", self.sha256)[0][0]
        self.respond(30)

    def respond(self, days):
        """It has a responder certificate for so many days: only that there is one matters here."""
        sql("INSERT INTO assay.responders (id, issuer, due_at, not_before, not_after, host, spki, spki_sha256, serial, der) "
            "VALUES (gen_random_uuid(), %s, NULL, now(), now() + %s * interval '1 day', 'h', %s, %s, %s, 'x')",
            self.id, days, b"k", os.urandom(32), os.urandom(18))

    def unknown(self):
        """One that nobody recorded."""
        serial = new_serial()
        return Leaf(self, serial, make_certificate("leaf", self.key, self.key, self.name, int.from_bytes(serial, "big")))

    def issue(self):
        leaf = self.unknown()
        serial, cert = leaf.serial, leaf.cert
        sql("INSERT INTO assay.certificates (serial, order_id, account_id, not_before, not_after, issued_at, issuer, "
            "spki_sha256, names, der) VALUES (%s, gen_random_uuid(), gen_random_uuid(), now(), now() + interval '80 days', "
            "now(), %s, %s, '{a}', %s)", serial, self.id, os.urandom(32), cert.public_bytes(serialization.Encoding.DER))
        return leaf


class Leaf:
    def __init__(self, authority, serial, cert):
        self.authority, self.serial, self.cert = authority, serial, cert

    def request(self, algorithm=SHA1, nonce=None):
        builder = ocsp.OCSPRequestBuilder().add_certificate(self.cert, self.authority.cert, algorithm)
        if nonce:
            builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
        return builder.build().public_bytes(serialization.Encoding.DER)

    def sign(self, nonce=None, algorithm=SHA1, revoked=None, this=None, life=24 * HOUR):
        this = this or utcnow()
        builder = ocsp.OCSPResponseBuilder().add_response(
            cert=self.cert, issuer=self.authority.cert, algorithm=algorithm,
            cert_status=ocsp.OCSPCertStatus.REVOKED if revoked else ocsp.OCSPCertStatus.GOOD, this_update=this,
            next_update=this + life, revocation_time=revoked,
            revocation_reason=x509.ReasonFlags.superseded if revoked else None)
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, self.authority.cert)
        if nonce:
            builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
        return builder.sign(self.authority.key, SHA256).public_bytes(serialization.Encoding.DER)

    def store(self, **kwargs):
        """A response signed ahead; its DER."""
        this = kwargs.setdefault("this", utcnow() - HOUR)
        der, life = self.sign(**kwargs), kwargs.get("life", 24 * HOUR)
        revoked = kwargs.get("revoked")
        stored = sql("SELECT assay.ocsp_store(%s, ARRAY[%s]::timestamptz[], ARRAY[%s]::timestamptz[], "
                     "ARRAY[NULL]::timestamptz[], ARRAY[%s]::timestamptz[], ARRAY[%s]::integer[], %s)", [self.serial],
                     f"{this}Z", f"{this + life}Z", f"{revoked}Z" if revoked else None, 4 if revoked else None, [der])
        assert stored == [(1,)]
        return der

    def revoke(self):
        at = utcnow()
        sql("UPDATE assay.certificates SET revoked_at = %s, reason = 4 WHERE serial = %s", f"{at}Z", self.serial)
        return at


def sql(statement, *args):
    """As a superuser whom no trigger stops."""
    db = psycopg2.connect("", options="-c session_replication_role=replica")
    try:
        with db, db.cursor() as cursor:
            cursor.execute(statement, args)
            return cursor.fetchall() if cursor.description else None
    finally:
        db.close()


class Resp:
    """Enough of Redis's protocol for binary values."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(path)
        self.file = self.sock.makefile("rb")

    def __call__(self, *words):
        words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
        self.sock.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))
        return self.read()

    def read(self):
        line = self.file.readline().rstrip(b"\r\n")
        kind, rest = line[:1], line[1:]
        if kind == b"$":
            return None if rest == b"-1" else self.file.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return None if rest == b"-1" else [self.read() for _ in range(int(rest))]
        return int(rest) if kind == b":" else rest

    def close(self):
        self.file.close()
        self.sock.close()


class Signer:
    """Answers asks as told: answer(ask) returns DER or None. An ask is a dict of its fields, certs a list."""

    def __init__(self, redis):
        self.redis = Resp(redis.socket)
        self.asks, self.errors, self.answer = [], [], lambda ask: None
        self.running = True
        self.thread = threading.Thread(target=self.work)
        self.thread.start()

    def work(self):
        last = "0"
        while self.running:
            for entry, fields in (self.redis("XREAD", "BLOCK", 50, "STREAMS", "q:ocsp", last) or [[b"", []]])[0][1]:
                last = entry
                pairs = list(zip(fields[::2], fields[1::2]))
                ask = {name: value for name, value in pairs if name in (b"r", b"i", b"t", b"n")}
                ask["certs"] = [(name, value) for name, value in pairs if name in (b"1", b"2")]
                self.asks.append(ask)
                try:
                    der = self.answer(ask)
                except Exception as err:  # pylint: disable=broad-except
                    self.errors.append(err)
                    der = None
                if der is not None:
                    self.redis("PUBLISH", "ocsp", ask[b"r"] + der)
                self.redis("XDEL", "q:ocsp", entry)

    def stop(self):
        self.running = False
        self.thread.join()
        self.redis.close()
        assert not self.errors


@pytest.fixture(scope="module", autouse=True)
def partitions():
    sql("SELECT assay.partitions(3, 86400 * 400)")


@pytest.fixture(scope="module")
def authority(partitions):
    return Authority("ocsp test issuer")


@pytest.fixture
def leaf(authority):
    return authority.issue()


@pytest.fixture
def signer(redis):
    redis("DEL", "q:ocsp")
    made = Signer(redis)
    yield made
    made.stop()


@pytest.fixture
def program(start, authority):
    started = start("assay-ocsp")
    wait_for(lambda: connected(started, authority))
    return started


def connected(program, authority):
    """It has read the issuers."""
    call = program.connect()
    try:
        return get(call, authority.issue().request()).status == 200
    finally:
        call.close()


@pytest.fixture
def call(program):
    connection = program.connect()
    yield connection
    connection.close()


def path_of(der):
    return "/" + urllib.parse.quote(base64.b64encode(der).decode(), safe="")


def get(call, der, method="GET", **params):
    return call(method, path_of(der), **params)


def post(call, der, content_type=TYPE):
    return call("POST", "/", der, content_type)


def error_of(answer):
    """The body, of an error that no cache keeps."""
    assert answer.status == 200
    assert answer["Content-Type"] == "application/ocsp-response"
    assert answer["Cache-Control"] == "no-store"
    assert answer["X-Accel-Expires"] is None and answer["ETag"] is None
    return answer.body


def http_date(at):
    return at.strftime("%a, %d %b %Y %H:%M:%S GMT")


@pytest.mark.parametrize("algorithm", [SHA1, SHA256])
def test_a_stored_response_is_handed_out_to_get_and_post(call, leaf, algorithm):
    stored = leaf.store()
    for answer in (get(call, leaf.request(algorithm)), post(call, leaf.request(algorithm))):
        assert answer.status == 200
        assert answer["Content-Type"] == "application/ocsp-response"
        assert answer.body == stored
        assert answer["Replay-Nonce"] is None and answer["Link"] is None
        assert ocsp.load_der_ocsp_response(answer.body).certificate_status == ocsp.OCSPCertStatus.GOOD


def test_a_get_may_come_raw_escaped_or_behind_more_slashes(call, leaf):
    stored, encoded = leaf.store(), base64.b64encode(leaf.request()).decode()
    for path in (f"/{encoded}", f"//{encoded}", f"/{urllib.parse.quote(encoded)}", f"/{encoded.rstrip('=')}",
                 "/" + "".join(f"%{ord(c):02x}" for c in encoded)):
        assert call("GET", path).body == stored
    assert error_of(call("GET", f"/{encoded}?a=1")) == MALFORMED


def test_an_address_may_have_a_path(start, conf, authority):
    issuer = "[issuer %s]\ncertificate = /c\nkey = /k\nocsp_url = %s\n"
    conf.write(extra=issuer % ("a", "http://pki.example.org/status/ocsp/") + issuer % ("b", "http://ocsp.example.org"))
    program = start("assay-ocsp")
    wait_for(lambda: connected(program, authority))
    call, leaf = program.connect(), authority.issue()
    stored = leaf.store()
    for prefix in ("", "/status/ocsp", "/status/ocsp/"):
        assert call("GET", prefix + path_of(leaf.request())).body == stored
        assert call("POST", prefix or "/", leaf.request(), TYPE).body == stored
    assert call("GET", "/status/ocsp")["Content-Type"].startswith("text/html")
    for prefix in ("/status", "/status/ocspx", "/status/ocsp/x"):
        assert error_of(call("GET", prefix + path_of(leaf.request()))) == MALFORMED


def test_caching_headers_follow_the_response(call, leaf):
    this = utcnow() - HOUR
    leaf.store(this=this, life=20 * HOUR)
    answer = get(call, leaf.request())
    directives = dict(part.partition("=")[::2] for part in answer["Cache-Control"].split(", "))
    assert {"public", "no-transform", "must-revalidate"} < set(directives)
    assert 10 * 3600 - 10 < int(directives["max-age"]) <= 10 * 3600
    assert answer["Last-Modified"] == http_date(this)
    assert answer["Expires"] == http_date(this + 20 * HOUR)
    assert answer["ETag"][0] == answer["ETag"][-1] == '"' and len(answer["ETag"]) == 34
    assert 0 < int(answer["X-Accel-Expires"]) <= 3


def test_nobody_may_keep_a_response_beyond_its_next_update(call, leaf):
    leaf.store(this=utcnow() - 10 * HOUR, life=10 * HOUR + datetime.timedelta(seconds=60))
    max_age = int(get(call, leaf.request())["Cache-Control"].split(",")[0].partition("=")[2])
    assert 40 <= max_age <= 56


def test_tags_differ_as_responses_do(call, leaf, authority):
    other = authority.issue()
    leaf.store(), other.store()
    tags = [get(call, der)["ETag"] for der in (leaf.request(), leaf.request(SHA256), other.request())]
    assert tags[0] == tags[1] != tags[2]


def test_head_is_get_without_the_body(call, leaf):
    stored = leaf.store()
    full, head = get(call, leaf.request()), get(call, leaf.request(), "HEAD")
    assert head.body == b"" and head["Content-Length"] == str(len(stored))
    assert {**head.headers} == {**full.headers}


def test_who_has_it_already_is_told_304(call, leaf):
    this = utcnow() - HOUR
    leaf.store(this=this)
    tag = get(call, leaf.request())["ETag"]
    for params in ({"HTTP_IF_NONE_MATCH": tag}, {"HTTP_IF_NONE_MATCH": f'"x", W/{tag}'}, {"HTTP_IF_NONE_MATCH": "*"},
                   {"HTTP_IF_MODIFIED_SINCE": http_date(this)}, {"HTTP_IF_MODIFIED_SINCE": http_date(utcnow())}):
        answer = get(call, leaf.request(), **params)
        assert answer.status == 304 and answer.body == b""
        assert answer["Content-Length"] is None and answer["ETag"] == tag
        assert answer["Cache-Control"].startswith("max-age=") and answer["Expires"]
    for params in ({"HTTP_IF_NONE_MATCH": '"x"'}, {"HTTP_IF_MODIFIED_SINCE": http_date(this - HOUR)},
                   {"HTTP_IF_MODIFIED_SINCE": "yesterday"},
                   {"HTTP_IF_NONE_MATCH": '"x"', "HTTP_IF_MODIFIED_SINCE": http_date(utcnow())}):
        assert get(call, leaf.request(), **params).status == 200
    assert call("POST", "/", leaf.request(), TYPE, HTTP_IF_NONE_MATCH=tag).status == 200


def test_what_is_not_known_is_unauthorized(call, authority):
    stranger = authority.unknown()
    assert error_of(get(call, stranger.request())) == UNAUTHORIZED
    key = ec.generate_private_key(ec.SECP256R1())
    other = type("", (), {"cert": make_certificate("nobody", key), "key": key})
    assert error_of(post(call, Leaf(other, b"", authority.issue().cert).request())) == UNAUTHORIZED
    # The same name with another key, and the other way round.
    other.cert = make_certificate(authority.name, key)
    assert error_of(post(call, Leaf(other, b"", authority.issue().cert).request())) == UNAUTHORIZED
    other.cert = make_certificate("nobody", authority.key)
    leaf = make_certificate("leaf", key, authority.key, "nobody")
    assert error_of(post(call, Leaf(other, b"", leaf).request())) == UNAUTHORIZED


def test_another_hash_or_too_many_are_unauthorized(call, leaf, authority):
    leaf.store()
    assert error_of(get(call, leaf.request(hashes.SHA384()))) == UNAUTHORIZED
    assert error_of(post(call, several([authority.issue() for _ in range(9)]))) == UNAUTHORIZED


def der(tag, *parts):
    content = b"".join(parts)
    size = len(content).to_bytes((len(content).bit_length() + 7) // 8 or 1, "big")
    return bytes([tag]) + (size if len(content) < 128 else bytes([0x80 | len(size)]) + size) + content


def several(leaves, nonce=None):
    """One request about all of them: their single requests, taken apart and put together."""
    ones = []
    for leaf in leaves:
        request = leaf.request()
        assert request[0] == 0x30 and request[2] == 0x30 and request[4] == 0x30  # OCSPRequest, TBSRequest, requestList
        ones.append(request[6:])
    extension = b""
    if nonce:
        extension = der(0xa2, der(0x30, der(0x30, bytes.fromhex("06092b0601050507300102"), der(4, der(4, nonce)))))
    return der(0x30, der(0x30, der(0x30, *ones), extension))


@pytest.mark.parametrize("body", [b"\x00", b"\x30\x00", b"junk" * 20, b"\x30\x80" + bytes(20)])
def test_junk_is_malformed(call, body):
    for answer in (post(call, body), get(call, body)):
        assert error_of(answer) == MALFORMED


def test_damaged_requests_are_malformed(call, leaf):
    leaf.store()
    good = leaf.request()
    for cut in range(1, len(good)):
        assert error_of(post(call, good[:cut])) == MALFORMED
    assert error_of(post(call, good + b"\0")) == MALFORMED
    for path in ("/x", "/%zz", "/" + base64.urlsafe_b64encode(b"\x30\xff\xfe" * 9).decode(), "/favicon.ico", "//"):
        answer = call("GET", path)
        assert path == "//" or error_of(answer) == MALFORMED
    assert error_of(get(call, good + bytes(300))) == MALFORMED


def test_types_methods_and_sizes_are_checked(call, leaf):
    answer = call("PUT", "/", leaf.request(), TYPE)
    assert (answer.status, answer["Allow"]) == (405, "GET, HEAD, POST, OPTIONS")
    assert call("DELETE", path_of(leaf.request())).status == 405
    assert post(call, leaf.request(), "application/json").status == 415
    assert post(call, leaf.request(), "").status == 415
    assert post(call, bytes(4097)).status == 413
    assert error_of(post(call, bytes(4096))) == MALFORMED
    assert call("GET", "/" + "M" * 3000).status == 414
    assert post(call, bytes(70000)).status == 413


def test_a_browser_gets_a_page(call):
    answer = call("GET", "/")
    assert answer.status == 200 and answer["Content-Type"].startswith("text/html")
    assert b"OCSP" in answer.body


def test_a_nonce_is_signed_live(call, leaf, signer):
    leaf.store()
    nonce = bytes(range(10, 42))
    signer.answer = lambda ask: leaf.sign(nonce=ask[b"n"], algorithm=SHA256)
    answer = post(call, leaf.request(SHA256, nonce))
    assert answer.status == 200 and answer["Cache-Control"] == "no-store" and answer["X-Accel-Expires"] is None
    response = ocsp.load_der_ocsp_response(answer.body)
    assert response.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == nonce
    (ask,) = signer.asks
    assert ask["certs"] == [(b"2", leaf.serial)] and int(ask[b"i"]) == leaf.authority.id
    assert 0 < int(ask[b"t"]) - time.time() * 1e6 < 3e6


def test_without_a_signer_a_nonce_gets_what_is_stored(call, leaf):
    stored, begun = leaf.store(), time.monotonic()
    answer = get(call, leaf.request(nonce=b"n" * 16))
    assert answer.body == stored
    assert answer["Cache-Control"] == "no-store" and answer["X-Accel-Expires"] is None and answer["ETag"] is None
    assert 1.5 < time.monotonic() - begun < 4


def test_what_is_missing_is_signed_live_and_kept_as_if_stored(call, leaf, signer):
    this = utcnow()
    signer.answer = lambda ask: leaf.sign(this=this)
    answer = get(call, leaf.request())
    assert ocsp.load_der_ocsp_response(answer.body).serial_number == leaf.cert.serial_number
    assert answer["Last-Modified"] == http_date(this) and answer["ETag"] and answer["X-Accel-Expires"]
    assert b"n" not in signer.asks[0]


def test_what_is_missing_without_a_signer_is_try_later_within_bounds(call, leaf):
    begun = time.monotonic()
    assert error_of(get(call, leaf.request())) == TRY_LATER
    assert time.monotonic() - begun < 4


def test_a_stored_good_is_never_told_of_a_revoked_certificate(call, leaf, signer):
    leaf.store()
    assert get(call, leaf.request()).status == 200
    at = leaf.revoke()
    signer.answer = lambda ask: leaf.sign(revoked=at)
    response = ocsp.load_der_ocsp_response(get(call, leaf.request()).body)
    assert response.certificate_status == ocsp.OCSPCertStatus.REVOKED
    assert len(signer.asks) == 1
    leaf.store(revoked=at, this=utcnow())
    response = ocsp.load_der_ocsp_response(get(call, leaf.request()).body)
    assert response.certificate_status == ocsp.OCSPCertStatus.REVOKED and response.revocation_time == at
    assert len(signer.asks) == 1


def test_nor_while_nobody_can_sign(call, leaf):
    leaf.store()
    leaf.revoke()
    for nonce in (None, b"n" * 16):
        assert error_of(get(call, leaf.request(nonce=nonce))) == TRY_LATER


def test_a_response_past_its_next_update_is_not_handed_out(call, leaf, signer):
    old = leaf.store(this=utcnow() - 30 * HOUR)
    signer.answer = lambda ask: leaf.sign()
    assert get(call, leaf.request()).body != old
    assert len(signer.asks) == 1


def test_several_certificates_are_one_ask(call, leaf, authority, signer):
    leaves = [leaf] + [authority.issue() for _ in range(7)]
    signer.answer = lambda ask: leaf.sign(nonce=ask.get(b"n"))
    answer = post(call, several(leaves, b"abc"))
    assert answer.status == 200 and answer["Cache-Control"] == "no-store"
    assert signer.asks[0]["certs"] == [(b"1", each.serial) for each in leaves]
    assert signer.asks[0][b"n"] == b"abc"
    assert post(call, several(leaves[:2]))["Cache-Control"] == "no-store"
    signer.answer = lambda ask: None
    assert error_of(post(call, several(leaves[:2]))) == TRY_LATER


def test_nobody_speaks_for_two_issuers(call, leaf, signer):
    other = Authority("another issuer")
    wait_for(lambda: error_of(get(call, other.issue().request())) == TRY_LATER)
    signer.asks.clear()
    assert error_of(post(call, several([leaf, other.issue()]))) == UNAUTHORIZED
    assert not signer.asks


def test_a_new_issuer_is_known_without_a_restart(call):
    other = Authority("a later issuer")
    stored = other.issue()
    der_ = stored.store()
    wait_for(lambda: get(call, stored.request()).body == der_, 7)


def test_what_a_reply_may_be(call, leaf, signer):
    for junk in (b"x", b"\x30\x03\x0a\x01\x00", b"\x30\x03\x0a\x01\x04", leaf.sign()[:-1], leaf.sign() + b"x"):
        signer.answer = lambda ask, junk=junk: junk
        assert error_of(get(call, leaf.request())) == TRY_LATER
    signer.answer = lambda ask: UNAUTHORIZED
    assert error_of(get(call, leaf.request())) == UNAUTHORIZED
    stored = leaf.store()
    assert get(call, leaf.request(nonce=b"n")).body == stored


def test_a_reply_to_somebody_else_is_not_taken(call, leaf, authority, signer, redis):
    other = Resp(redis.socket)

    def answer(ask):
        other("PUBLISH", "ocsp", b"A" * 22 + leaf.sign(this=utcnow() - 9 * HOUR))
        return leaf.sign()

    signer.answer = answer
    assert ocsp.load_der_ocsp_response(get(call, leaf.request()).body).this_update > utcnow() - HOUR
    other.close()


def test_the_rate_of_live_signatures_is_bounded(start, conf, authority, signer):
    conf.write(extra="[ocsp]\nlive_rate = 2")
    program = start("assay-ocsp")
    wait_for(lambda: connected(program, authority))
    time.sleep(1.1)
    call, leaf = program.connect(), authority.issue()
    stored = leaf.store()
    signer.asks.clear()
    signer.answer = lambda ask: leaf.sign(nonce=ask.get(b"n"))
    begun = time.monotonic()
    bodies = [get(call, leaf.request(nonce=bytes([i]) * 16)).body for i in range(20)]
    missing = authority.issue()
    assert error_of(get(call, missing.request())) == TRY_LATER
    assert time.monotonic() - begun < 1
    assert 2 <= len(signer.asks) <= 4
    assert bodies.count(stored) == 20 - len(signer.asks)


def test_never_issued_may_be_revoked(start, conf, authority, signer):
    conf.write(extra="[ocsp]\nnever_issued = revoked")
    program = start("assay-ocsp")
    wait_for(lambda: connected(program, authority))
    stranger = authority.unknown()
    signer.answer = lambda ask: stranger.sign(revoked=datetime.datetime(1970, 1, 1))
    response = ocsp.load_der_ocsp_response(get(program.connect(), stranger.request()).body)
    assert response.certificate_status == ocsp.OCSPCertStatus.REVOKED


def test_an_issuer_without_responder_is_not_asked_for(call, program, signer):
    other = Authority("without responder")
    sql("DELETE FROM assay.responders WHERE issuer = %s", other.id)
    leaf = other.issue()
    wait_for(lambda: error_of(get(call, leaf.request())) == TRY_LATER)
    time.sleep(6)
    signer.asks.clear()
    begun = time.monotonic()
    assert error_of(get(call, leaf.request())) == TRY_LATER
    assert time.monotonic() - begun < 1 and not signer.asks


def test_without_redis_what_is_stored_is_handed_out(call, program, leaf, authority, redis):
    program.errors_expected = True
    stored, missing = leaf.store(), authority.issue()
    redis.stop()
    try:
        assert get(call, leaf.request()).body == stored
        begun = time.monotonic()
        assert get(call, leaf.request(nonce=b"n" * 16)).body == stored
        assert error_of(get(call, missing.request())) == TRY_LATER
        assert time.monotonic() - begun < 6
    finally:
        redis.start()
    signer = Signer(redis)
    try:
        signer.answer = lambda ask: missing.sign()
        wait_for(lambda: get(call, missing.request()).body[:4] != TRY_LATER[:4])
    finally:
        signer.stop()


def test_without_postgresql_it_is_try_later_with_503(start, conf, authority):
    conf.write(database="host=/nonexistent dbname=assay")
    program = start("assay-ocsp")
    program.errors_expected = True
    call = program.connect()
    answer = get(call, authority.issue().request())
    assert (answer.status, answer.body, answer["Cache-Control"]) == (503, TRY_LATER, "no-store")
    assert answer["Retry-After"] and answer["Content-Type"] == "application/ocsp-response"
    assert error_of(post(call, b"junk")) == MALFORMED
    assert call("GET", "/").status == 200


def test_a_lost_connection_to_postgresql_is_not_noticed(call, leaf):
    stored = leaf.store()
    sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'assay-ocsp'")
    assert get(call, leaf.request()).body == stored


def test_whoever_waits_is_answered_when_it_stops(program, leaf):
    call = program.connect()
    call.send("GET", path_of(leaf.request()))
    time.sleep(0.3)
    assert program.stop() == 0
    assert call.receive().body == TRY_LATER


def test_many_at_once_get_each_their_own(program, authority, signer):
    leaves = {leaf.serial: leaf for leaf in (authority.issue() for _ in range(12))}
    signer.answer = lambda ask: leaves[ask["certs"][0][1]].sign(nonce=ask[b"n"])
    wrong = []

    def client(leaf):
        call = program.connect()
        for _ in range(5):
            nonce = os.urandom(16)
            answer = post(call, leaf.request(nonce=nonce))
            response = ocsp.load_der_ocsp_response(answer.body)
            if response.serial_number != leaf.cert.serial_number or \
                    response.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce != nonce:
                wrong.append(leaf)
        call.close()

    threads = [threading.Thread(target=client, args=(leaf,)) for leaf in leaves.values()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
