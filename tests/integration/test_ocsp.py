"""Certificate status through nginx, as real clients ask for it: OpenSSL, GnuTLS, and a web server that staples."""

import base64
import email.utils
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.parse

import pytest
from acme_client import leaf_key
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp
from http.client import HTTPConnection
from steps import fresh, issue

PEM = serialization.Encoding.PEM
TYPE = "application/ocsp-request"
GOOD, REVOKED = ocsp.OCSPCertStatus.GOOD, ocsp.OCSPCertStatus.REVOKED
REFUSALS = {b"\x30\x03\x0a\x01" + bytes([code]): name
            for code, name in ((1, "malformed"), (3, "later"), (6, "unauthorized"))}


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    @property
    def refusal(self):
        return REFUSALS.get(self.body)

    @property
    def response(self):
        assert self.status == 200 and self.headers["Content-Type"] == "application/ocsp-response", (self.status, self.body)
        assert not self.refusal, self.refusal
        return ocsp.load_der_ocsp_response(self.body)

    @property
    def single(self):
        """What it says first: the same is said for each hash."""
        singles = list(self.response.responses)
        assert len({(single.serial_number, single.certificate_status) for single in singles}) == 1
        return singles[0]


class Site:
    """The OCSP server of the stack."""

    def __init__(self, url, tmp_path):
        self.url, self.tmp_path = url, tmp_path
        self.address = urllib.parse.urlsplit(url).netloc

    def __call__(self, method, path="/", body=None, **headers):
        connection = HTTPConnection(self.address, timeout=20)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def get(self, der, method="GET", **headers):
        return self(method, "/" + urllib.parse.quote(base64.b64encode(der).decode(), safe=""), **headers)

    def post(self, der, content_type=TYPE):
        return self("POST", "/", der, Content_Type=content_type)

    def status(self, leaf):
        """By GET, over the cache as anybody."""
        return self.get(leaf.request()).single.certificate_status

    def openssl(self, leaf, root, *options):
        """What `openssl ocsp` says of the certificate; its verdict on the response."""
        done = subprocess.run(["openssl", "ocsp", "-url", self.url, "-issuer", leaf.issuer_file, "-CAfile", root, *options],
                              capture_output=True, text=True, timeout=30, check=False)
        return done.stdout + done.stderr


class Leaf:
    def __init__(self, client, chain, key, folder):
        self.client, self.cert, self.issuer, self.key = client, chain[0], chain[1], key
        self.file, self.issuer_file = str(folder / "leaf.pem"), str(folder / "issuer.pem")
        with open(self.file, "wb") as out:
            out.write(self.cert.public_bytes(PEM))
        with open(self.issuer_file, "wb") as out:
            out.write(self.issuer.public_bytes(PEM))

    def request(self, algorithm=hashes.SHA1, nonce=None):
        builder = ocsp.OCSPRequestBuilder().add_certificate(self.cert, self.issuer, algorithm())
        if nonce:
            builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
        return builder.build().public_bytes(serialization.Encoding.DER)

    def revoke(self, reason=4):
        assert self.client.revoke(self.cert, reason).status == 200


@pytest.fixture(scope="module")
def site(stack, tmp_path_factory):
    try:
        pids(stack, "ASSAY_OCSP_SIGNER")
    except KeyError:
        pytest.skip("nobody signs on this stack")
    return Site(stack["OCSP_URL"], tmp_path_factory.mktemp("ocsp"))


@pytest.fixture
def leaf(new_leaf):
    return new_leaf()


@pytest.fixture
def new_leaf(client, dns, tmp_path_factory, site):
    def make():
        key = leaf_key("ES256")
        _, chain = issue(client, dns, [fresh("ocsp")], key=key)
        made = Leaf(client, chain, key, tmp_path_factory.mktemp("leaf"))
        until(lambda: site.get(made.request()).refusal is None, 20)
        return made
    return make


@pytest.fixture(scope="module")
def root(stack):
    return stack["ISSUER_ROOT"]


def until(condition, seconds):
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < seconds, "waited in vain"
        time.sleep(0.05)
    return time.monotonic() - begun


def stored(db, leaf):
    """The response that was signed ahead, or None."""
    return db.one("select max(encode(response, 'hex')) from assay.ocsp_responses where serial = %s",
                  leaf.cert.serial_number.to_bytes(18, "big"))


HASHES = ["-sha1", "-sha256"]


@pytest.mark.parametrize("digest", HASHES)
@pytest.mark.parametrize("nonce", [[], ["-no_nonce"]], ids=["nonce", "none"])
def test_openssl_asks_by_post(site, leaf, root, digest, nonce):
    said = site.openssl(leaf, root, *nonce, digest, "-cert", leaf.file)
    assert "Response verify OK" in said and ": good" in said, said
    assert "WARNING: no nonce" not in said, said
    leaf.revoke()
    said = site.openssl(leaf, root, "-nonce", digest, "-cert", leaf.file)
    assert "Response verify OK" in said and ": revoked" in said and "Reason: superseded" in said, said


@pytest.mark.parametrize("digest", HASHES)
def test_openssl_believes_what_a_get_brings(site, leaf, root, digest, tmp_path):
    request, answer = tmp_path / "request", tmp_path / "answer"
    subprocess.run(["openssl", "ocsp", "-issuer", leaf.issuer_file, digest, "-cert", leaf.file, "-no_nonce", "-reqout", request],
                   check=True, timeout=30)
    for word in ("good", "revoked"):
        until(lambda word=word: word in subprocess.run(
            ["openssl", "ocsp", "-respin", save(answer, site.get(request.read_bytes()).body), "-issuer", leaf.issuer_file, digest,
             "-cert", leaf.file, "-CAfile", root], capture_output=True, text=True, check=True).stdout, 6)
        if word == "good":
            leaf.revoke()


def save(path, octets):
    path.write_bytes(octets)
    return path


def test_openssl_is_told_what_is_not_ours(site, leaf, root, stack, tmp_path):
    said = site.openssl(leaf, root, "-serial", "0x40" + "ab" * 17)
    assert "Responder Error: unauthorized (6)" in said, said
    # The root is no issuer of ours.
    said = subprocess.run(["openssl", "ocsp", "-url", site.url, "-issuer", root, "-CAfile", root, "-serial", "1"],
                          capture_output=True, text=True, timeout=30, check=False)
    assert "Responder Error: unauthorized (6)" in said.stdout + said.stderr


def test_openssl_asks_about_several_at_once(site, new_leaf, root):
    good, bad = new_leaf(), new_leaf()
    bad.revoke(1)
    said = site.openssl(good, root, "-cert", good.file, "-cert", bad.file)
    assert "Response verify OK" in said, said
    assert f"{good.file}: good" in said and f"{bad.file}: revoked" in said and "Reason: keyCompromise" in said, said
    assert "WARNING: no nonce" not in said, said


@pytest.mark.skipif(not shutil.which("ocsptool"), reason="gnutls-bin is not installed")
def test_gnutls_asks_and_believes(site, leaf):
    def ask(*options):
        done = subprocess.run(["ocsptool", f"--ask={site.url}", "--load-cert", leaf.file, "--load-issuer", leaf.issuer_file,
                               *options], capture_output=True, text=True, timeout=30, check=False)
        return done.stdout + done.stderr

    for options in ([], ["--nonce"]):
        said = ask(*options)
        assert "Certificate Status: good" in said and "Verifying OCSP Response: Success" in said, said
    leaf.revoke()
    until(lambda: "Certificate Status: revoked" in ask(), 6)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def web_server(site, leaf, root, tmp_path):
    """Another nginx, with the certificate and its status stapled. Its port."""
    port = free_port()
    with open(tmp_path / "chain.pem", "w", encoding="ascii") as out:
        for name in (leaf.file, leaf.issuer_file):
            with open(name, encoding="ascii") as text:
                out.write(text.read())
    with open(tmp_path / "trusted.pem", "w", encoding="ascii") as out:
        for name in (leaf.issuer_file, root):
            with open(name, encoding="ascii") as text:
                out.write(text.read())
    (tmp_path / "key.pem").write_bytes(leaf.key.private_bytes(PEM, serialization.PrivateFormat.PKCS8,
                                                               serialization.NoEncryption()))
    temp = "".join(f"{kind}_temp_path {tmp_path}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    conf = tmp_path / "nginx.conf"
    conf.write_text(f"""daemon off; pid {tmp_path}/pid; error_log {tmp_path}/error.log info; worker_processes 1;
events {{ }}
http {{
	access_log off; {temp}
	server {{
		listen 127.0.0.1:{port} ssl;
		ssl_certificate {tmp_path}/chain.pem; ssl_certificate_key {tmp_path}/key.pem;
		ssl_stapling on; ssl_stapling_verify on;
		ssl_stapling_responder http://{site.address.replace("localhost", "127.0.0.1")}/;
		ssl_trusted_certificate {tmp_path}/trusted.pem;
		return 204;
	}}
}}
""", encoding="ascii")
    with subprocess.Popen(["nginx", "-p", str(tmp_path), "-c", str(conf), "-e", f"{tmp_path}/error.log"]) as process:
        try:
            yield port
        finally:
            process.terminate()
            process.wait(10)


def test_a_web_server_staples_what_a_browser_verifies(web_server, root, leaf, tmp_path):
    def handshake():
        done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{web_server}", "-status", "-CAfile", root,
                               "-verify_return_error", "-servername", "x.test"], input="", capture_output=True, text=True,
                              timeout=20, check=False)
        return done.stdout

    # nginx asks when the first client comes, and staples from then on.
    until(lambda: "OCSP Response Status: successful" in handshake(), 15)
    said = handshake()
    assert "Cert Status: good" in said and "Verify return code: 0 (ok)" in said, said
    assert f"{leaf.cert.serial_number:X}" in said
    assert "error" not in (tmp_path / "error.log").read_text()


def test_a_revocation_shows_within_five_seconds_whatever_was_cached(site, new_leaf):
    for method in ("GET", "POST"):
        leaf = new_leaf()

        def ask(der):
            return (site.get(der) if method == "GET" else site.post(der)).single.certificate_status

        requests = [leaf.request(), leaf.request(hashes.SHA256)]
        end = time.monotonic() + 1
        while time.monotonic() < end:
            assert [ask(der) for der in requests] == [GOOD, GOOD]
        leaf.revoke()
        assert until(lambda: [ask(der) for der in requests] == [REVOKED, REVOKED], 5) < 5
        end = time.monotonic() + 4.5
        while time.monotonic() < end:
            assert ask(requests[0]) == REVOKED


def test_stored_responses_carry_what_caches_need(site, leaf, db):
    until(lambda: stored(db, leaf) is not None, 20)
    time.sleep(4.2)  # what was signed live has left the cache
    answer = site.get(leaf.request())
    response, headers = answer.single, answer.headers
    assert answer.body == bytes.fromhex(stored(db, leaf))
    dates = {name: email.utils.parsedate_to_datetime(headers[name]).replace(tzinfo=None)
             for name in ("Date", "Last-Modified", "Expires")}
    assert dates["Last-Modified"] == response.this_update and dates["Expires"] == response.next_update
    assert abs((dates["Date"] - dates["Date"].utcnow()).total_seconds()) < 3
    max_age = int(re.search(r"max-age=(\d+)", headers["Cache-Control"]).group(1))
    assert 0 < max_age < (dates["Expires"] - dates["Date"]).total_seconds()
    for word in ("public", "no-transform", "must-revalidate"):
        assert word in headers["Cache-Control"]
    assert re.fullmatch(r'"[0-9a-f]{32}"', headers["ETag"])
    assert headers["X-Accel-Expires"] is None


def test_the_same_octets_come_from_the_cache_by_get_head_and_post(site, leaf):
    first = site.get(leaf.request())
    head = site.get(leaf.request(), "HEAD")
    assert head.status == 200 and head.body == b"" and head.headers["Content-Length"] == str(len(first.body))
    assert head.headers["ETag"] == first.headers["ETag"]
    for answer in (site.get(leaf.request()), site.post(leaf.request()), site.post(leaf.request())):
        assert answer.single.certificate_status == GOOD
    again = site.get(leaf.request(), If_None_Match=first.headers["ETag"])
    assert again.status == 304 and again.body == b""
    again = site.get(leaf.request(), If_Modified_Since=first.headers["Last-Modified"])
    assert again.status == 304
    assert site.get(leaf.request(), If_None_Match='"x"').status == 200


def test_posts_about_different_certificates_are_kept_apart(site, new_leaf):
    leaves = [new_leaf() for _ in range(3)]
    for _ in range(2):
        for leaf in leaves:
            assert site.post(leaf.request()).single.serial_number == leaf.cert.serial_number


def test_every_nonce_gets_its_own_answer(site, leaf):
    for octets in (1, 16, 32, 128):
        nonce = os.urandom(octets)
        for answer in (site.post(leaf.request(nonce=nonce)), site.get(leaf.request(nonce=nonce)) if octets < 100 else None):
            if answer is None:
                continue
            got = answer.response.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce
            assert got == nonce
            assert answer.headers["Cache-Control"] == "no-store" and answer.headers["ETag"] is None


@pytest.mark.parametrize("path", ["/x", "/%00", "/MAA=", "/favicon.ico", "/%"])
def test_junk_in_a_path_is_malformed(site, path):
    answer = site("GET", path)
    # nginx itself refuses what is no path.
    assert answer.refusal == "malformed" or answer.status == 400, (answer.status, answer.body)


def test_junk_and_sizes_and_types(site, leaf):
    assert site.post(b"junk").refusal == "malformed"
    assert site.post(leaf.request()[:-1]).refusal == "malformed"
    assert site.post(leaf.request() + b"\0").refusal == "malformed"
    assert site.post(bytes(4096)).refusal == "malformed"
    assert site.post(bytes(4097)).status == 413
    assert site.post(leaf.request(), "text/plain").status == 415
    answer = site("PUT", "/", leaf.request(), Content_Type=TYPE)
    assert answer.status == 405 and "POST" in answer.headers["Allow"]
    answer = site("GET")
    assert answer.status == 200 and answer.headers["Content-Type"].startswith("text/html")


def test_base64_may_have_slashes_and_pluses_as_they_are(site, leaf):
    found = set()
    for i in range(400):
        encoded = base64.b64encode(leaf.request(nonce=os.urandom(28 + i % 4))).decode()
        wanted = {mark for mark in ("//", "+", "=") if mark in encoded} - found
        if not wanted:
            continue
        assert site("GET", "/" + encoded).single.certificate_status == GOOD
        assert site("GET", "//" + encoded).single.certificate_status == GOOD
        found |= wanted
        if len(found) == 3:
            break
    assert found == {"//", "+", "="}


def pids(stack, program):
    return [int(stack[f"PID_{program}_{i}"]) for i in (1, 2)]


def test_a_handler_that_hangs_costs_seconds_and_what_is_cached_stays(site, stack, new_leaf):
    known, other = new_leaf(), new_leaf()
    assert site.status(known) == GOOD
    for pid in pids(stack, "ASSAY_OCSP"):
        os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(4.5)
        begun = time.monotonic()
        assert site.status(known) == GOOD
        assert time.monotonic() - begun < 9
        begun = time.monotonic()
        answer = site.get(other.request(hashes.SHA256))
        assert answer.status == 200 and answer.refusal == "later" and answer.headers["Cache-Control"] == "no-store"
        assert time.monotonic() - begun < 9
    finally:
        for pid in pids(stack, "ASSAY_OCSP"):
            os.kill(pid, signal.SIGCONT)
    until(lambda: site.get(other.request(hashes.SHA256)).refusal is None, 10)


def test_without_a_signer_what_is_stored_serves_and_a_nonce_is_left_out(site, stack, leaf, db):
    until(lambda: stored(db, leaf) is not None, 20)
    for pid in pids(stack, "ASSAY_OCSP_SIGNER"):
        os.kill(pid, signal.SIGSTOP)
    try:
        assert site.status(leaf) == GOOD
        begun = time.monotonic()
        answer = site.post(leaf.request(nonce=b"n" * 32))
        assert answer.single.certificate_status == GOOD and len(answer.response.extensions) == 0
        assert time.monotonic() - begun < 5
        leaf.revoke()
        # Never the stored "good": nobody can say "revoked" now.
        until(lambda: site.get(leaf.request()).refusal == "later", 10)
    finally:
        for pid in pids(stack, "ASSAY_OCSP_SIGNER"):
            os.kill(pid, signal.SIGCONT)
    until(lambda: site.get(leaf.request()).refusal is None and site.status(leaf) == REVOKED, 10)


def test_without_the_database_what_is_cached_stays_and_the_rest_is_tried_later(site, new_leaf, db):
    known, other = new_leaf(), new_leaf()
    assert site.status(known) == GOOD
    db.rows("alter role \"assay-ocsp\" nologin")
    try:
        db.rows("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'assay-ocsp'")
        until(lambda: site.get(other.request(hashes.SHA256)).refusal == "later", 10)
        time.sleep(4)
        for _ in range(20):
            assert site.status(known) == GOOD
            answer = site.get(other.request(hashes.SHA256))
            assert (answer.status, answer.refusal, answer.headers["Cache-Control"]) == (200, "later", "no-store")
    finally:
        db.rows("alter role \"assay-ocsp\" login")
    until(lambda: site.get(other.request(hashes.SHA256)).refusal is None, 10)
