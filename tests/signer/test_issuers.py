"""Issuers: keys in a PKCS#11 token (SoftHSM), rollover under load, import of what exists, requests for a root elsewhere."""

import copy
import datetime
import json
import os
import pty
import re
import shutil
import signal
import stat
import subprocess
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from conftest import ASSAYCTL, Signer, assayctl, wait_for

PROCESSING, VALID, INVALID = 2, 3, 4
MODULE = "/usr/lib/softhsm/libsofthsm2.so"
NOW = datetime.datetime.utcnow()
needs_softhsm = pytest.mark.skipif(not os.path.exists(MODULE) or not shutil.which("softhsm2-util"),
                                   reason="softhsm2 is not installed")


def write(path, content, mode=0o644):
    with open(path, "wb" if isinstance(content, bytes) else "w") as out:
        out.write(content)
    os.chmod(path, mode)
    return path


def pem(thing):
    return thing.public_bytes(serialization.Encoding.PEM)


def key_pem(key, passphrase=None):
    encryption = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def certify(root_key, root, public_key, subject, ca=True, crl_sign=True, days=3650, digest=None, pathlen=0):
    usage = x509.KeyUsage(False, False, False, False, False, ca, crl_sign, False, False)
    builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(root.subject).public_key(public_key)
               .serial_number(x509.random_serial_number()).not_valid_before(NOW - datetime.timedelta(days=2 * abs(days)))
               .not_valid_after(NOW + datetime.timedelta(days=days))
               .add_extension(x509.BasicConstraints(ca, pathlen if ca else None), True).add_extension(usage, True)
               .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), False)
               .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(
                   root.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value), False))
    return builder.sign(root_key, digest or hashes.SHA256())


def named(text):
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])


@pytest.fixture(scope="module")
def root(ca, folder):
    with open(f"{folder}/root.key", "rb") as text:
        return serialization.load_pem_private_key(text.read(), None), ca.pem("root")


def with_conf(ca, name, edit):
    """The same CA by another configuration file beside the first."""
    with open(ca.conf, encoding="utf-8") as text:
        content = edit(text.read())
    other = copy.copy(ca)
    other.conf = write(f"{ca.dir}/{name}.conf", content)
    return other


def set_key(content, section, **values):
    for name, value in values.items():
        content = re.sub(rf"(?ms)^(\[{section}\]\n(?:(?!^\[).)*?)^#?{name} = [^\n]*\n", rf"\1{name} = {value}\n", content, count=1)
    return content


class Token:
    """A SoftHSM token of its own, which can be taken away and brought back."""

    def __init__(self, folder, name):
        self.dir = f"{folder}/{name}"
        os.makedirs(f"{self.dir}/tokens")
        self.conf = write(f"{self.dir}/softhsm2.conf", f"directories.tokendir = {self.dir}/tokens\nlog.level = ERROR\n")
        self.pin = write(f"{self.dir}/pin", "12345678\n", 0o400)
        self.run("softhsm2-util", "--init-token", "--free", "--label", name, "--so-pin", "87654321", "--pin", "12345678")
        self.name = name

    def run(self, *words):
        subprocess.run(words, check=True, env={**os.environ, "SOFTHSM2_CONF": self.conf}, stdout=subprocess.DEVNULL)

    def put(self, key, label, number):
        path = write(f"{self.dir}/put.pem", key_pem(key) if not isinstance(key, bytes) else key, 0o600)
        self.run("softhsm2-util", "--import", path, "--token", self.name, "--label", label, "--id", number, "--pin", "12345678")
        os.unlink(path)

    def uri(self, label):
        return f"pkcs11:token={self.name};object={label};type=private?module-path={MODULE}"

    def take_away(self):
        os.rename(f"{self.dir}/tokens", f"{self.dir}/away")
        os.mkdir(f"{self.dir}/tokens")

    def bring_back(self):
        os.rmdir(f"{self.dir}/tokens")
        os.rename(f"{self.dir}/away", f"{self.dir}/tokens")


@pytest.fixture
def token(ca, folder, monkeypatch, request):
    made = Token(folder, f"t{abs(hash(request.node.name)) % 10**8}")
    with open(f"{ca.dir}/pki/issuer.key", "rb") as text:
        made.put(text.read(), "issuing", "01")
    monkeypatch.setenv("SOFTHSM2_CONF", made.conf)
    return made


def verify(ca, certificate, issuer):
    path = write(f"{ca.dir}/leaf.pem", pem(certificate))
    done = subprocess.run(["openssl", "verify", "-CAfile", f"{ca.dir}/pki/root.pem", "-untrusted", issuer, path],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def start(folder):
    """Starts signers by a configuration of their own, and leaves none behind when a test fails."""
    running = []

    def begin(ca):
        running.append(Signer(ca, folder))
        return running[-1]

    yield begin
    for one in running:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()


@needs_softhsm
def test_a_key_in_a_token_issues(ca, database, redis, enqueue, token, start):
    hsm = with_conf(ca, "hsm", lambda text: set_key(text, "issuer main", key=token.uri("issuing"), key_passphrase=token.pin))
    done = assayctl("-c", hsm.conf, "check-config", check=False)
    assert "issuer main: certificate, chain and key fit" in done.stdout, done.stdout
    one = start(hsm).wait_ready()
    orders = [database.order([f"hsm{i}.example.org"]) for i in range(20)]
    enqueue(*orders)
    wait_for(lambda: all(database.state(order).status == VALID for order in orders), what=one.log)
    verify(ca, database.certificate(orders[0]), f"{ca.dir}/pki/issuer.pem")
    # A restart that the module does not survive in memory: SIGHUP loads the issuers, and their sessions, anew.
    one.process.send_signal(signal.SIGHUP)
    wait_for(lambda: len(one.events("issuer ready")) == 2, what=one.log)
    order = database.order(["hsm-again.example.org"])
    enqueue(order)
    wait_for(lambda: database.state(order).status == VALID, what=one.log)
    assert one.stop() == 0 and '"error"' not in [event["level"] for event in map(json.loads, one.log().splitlines())]


@needs_softhsm
def test_orders_wait_for_a_token_that_is_away(ca, database, redis, enqueue, token, start):
    hsm = with_conf(ca, "away", lambda text: set_key(text, "issuer main", key=token.uri("issuing"), key_passphrase=token.pin))
    token.take_away()
    done = assayctl("-c", hsm.conf, "check-config", check=False)
    assert done.returncode == 1 and re.search(r"FAILED +issuer main: .*away", done.stdout), done.stdout
    one = start(hsm)
    wait_for(lambda: one.events("issuing key cannot be reached, trying again until it can"), what=one.log)
    orders = [database.order([f"away{i}.example.org"]) for i in range(3)]
    for _ in range(12):
        enqueue(*orders)
        time.sleep(0.2)
    assert all(database.state(order).status == PROCESSING and database.state(order).attempt == 0 for order in orders)
    token.bring_back()

    def again():
        enqueue(*[order for order in orders if database.state(order).status == PROCESSING])
        time.sleep(0.2)
        return all(database.state(order).status == VALID for order in orders)
    wait_for(again, seconds=40, what=one.log)
    assert one.events("issuing key can be reached again")
    assert one.stop() == 0


@needs_softhsm
def test_a_wrong_pin_ends_the_start(ca, redis, database, token, start):
    wrong = write(f"{token.dir}/wrong", "11111111\n", 0o400)
    hsm = with_conf(ca, "wrong", lambda text: set_key(text, "issuer main", key=token.uri("issuing"), key_passphrase=wrong))
    one = start(hsm)
    assert one.process.wait(timeout=20) == 1
    assert "cannot log in" in one.events("an issuer cannot be used")[0]["cause"]
    assert "12345678" not in one.log() and "11111111" not in one.log()


@needs_softhsm
@pytest.mark.parametrize("kind", ["p256", "p384", "rsa"])
def test_a_request_for_a_key_in_a_token_and_a_ca_with_it(ca, folder, root, token, kind):
    key = rsa.generate_private_key(65537, 2048) if kind == "rsa" else ec.generate_private_key(
        ec.SECP256R1() if kind == "p256" else ec.SECP384R1())
    token.put(key, kind, "07")
    done = assayctl("csr", "--key", token.uri(kind), "--passphrase", token.pin, "--name", "Second", "--organization", "Käse",
                    "--country", "DE")
    request = x509.load_pem_x509_csr(done.stdout.encode())
    assert request.is_signature_valid and request.public_key().public_numbers() == key.public_key().public_numbers()
    assert request.subject.rfc4514_string() == "CN=Second,O=Käse,C=DE"
    target = f"{folder}/new-{kind}"
    assayctl("init", "--dir", target, "--root-key", f"{target}.root", "--base-url", "https://x.test", "--issuing-key",
             token.uri(kind), "--issuing-pin", token.pin)
    assert not os.path.exists(f"{target}/pki/issuer.key")
    with open(f"{target}/pki/issuer.pem", "rb") as text:
        issuer = x509.load_pem_x509_certificate(text.read())
    assert issuer.public_key().public_numbers() == key.public_key().public_numbers()
    done = assayctl("-c", f"{target}/assay.conf", "check-config", check=False)
    assert "issuer main: certificate, chain and key fit" in done.stdout
    # The certificate of an import may be for a key in a token, too.
    signed = certify(*root, request.public_key(), request.subject)
    done = assayctl("import", "--certificate", write(f"{target}.pem", pem(signed)), "--key", token.uri(kind), "--passphrase",
                    token.pin, "--name", "second", "--dir", target)
    assert f"key = pkcs11:token={token.name}" in done.stdout and f"key_passphrase = {token.pin}" in done.stdout


def test_a_rollover_under_load_fails_no_order(ca, database, redis, root, enqueue, start):
    """The new issuer comes first by SIGHUP, the old one retires, signers restart one after the other; 400 orders meanwhile."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = named("Rolled over")
    second = certify(*root, key.public_key(), name)
    section = (f"\n[issuer second]\ncertificate = {write(f'{ca.dir}/pki/second.pem', pem(second))}\n"
               f"key = {write(f'{ca.dir}/pki/second.key', key_pem(key), 0o400)}\n")
    conf = with_conf(ca, "roll", lambda text: text)
    first = start(conf).wait_ready()
    other = start(conf).wait_ready()
    account = database.account()
    orders = [database.order([f"roll{i}.example.org"], account) for i in range(400)]
    begun = time.monotonic()
    feeder = threading.Thread(target=enqueue, args=orders)
    feeder.start()

    def valid():
        return database.one("SELECT count(*) AS n FROM orders WHERE account_id = %s AND status = 3", account).n
    wait_for(lambda: valid() >= 50, what="the old issuer's")
    with_conf(ca, "roll", lambda text: set_key(text, "issuer main", retired="yes") + section)
    for one in (first, other):
        one.process.send_signal(signal.SIGHUP)
    wait_for(lambda: all(len(one.events("issuer ready")) == 3 for one in (first, other)), what=first.log)
    third = start(conf).wait_ready()
    assert first.stop() == 0
    fourth = start(conf).wait_ready()
    assert other.stop() == 0
    feeder.join()
    wait_for(lambda: valid() == 400, seconds=60, what=lambda: f"all, not {valid()}")
    took = time.monotonic() - begun
    issuers = [x509.load_der_x509_certificate(bytes(row.der)).issuer for row in database(
        "SELECT der FROM certificates WHERE account_id = %s AND der IS NOT NULL", account)]
    print(f"rollover: 400 orders in {took:.1f} s, {issuers.count(name)} by the new issuer, 0 failed")
    assert len(issuers) == 400 and issuers.count(name) >= 1 and issuers.count(ca.pem("issuer").subject) >= 50
    assert database.one("SELECT count(*) AS n FROM orders WHERE account_id = %s AND attempt > 1", account).n == 0
    verify(ca, x509.load_der_x509_certificate(bytes(database(
        "SELECT der FROM certificates c JOIN issuers i ON i.id = c.issuer WHERE account_id = %s AND i.name = 'second'"
        " AND der IS NOT NULL LIMIT 1", account)[0].der)), f"{ca.dir}/pki/second.pem")
    assert third.stop() == 0 and fourth.stop() == 0


def test_alternate_chains_reach_the_database(ca, database, redis, start):
    conf = with_conf(ca, "chains", lambda text: set_key(text, "issuer main", alternate_chains="pki/alternate.pem",
                                                        roots="pki/root.pem"))
    write(f"{ca.dir}/pki/alternate.pem", pem(ca.pem("issuer")) + pem(ca.pem("root")))
    one = start(conf).wait_ready()
    row, = database("SELECT alternates FROM issuers WHERE sha256 = %s", ca.pem("issuer").fingerprint(hashes.SHA256()))
    assert [text.count("BEGIN") for text in row.alternates] == [2]
    assert one.stop() == 0
    # Without them in the configuration they are gone.
    assert start(ca).wait_ready().stop() == 0
    row, = database("SELECT alternates FROM issuers WHERE sha256 = %s", ca.pem("issuer").fingerprint(hashes.SHA256()))
    assert row.alternates == []


# ---- import ----

@pytest.fixture
def exported(folder, root, tmp_path):
    """What another CA's operator has: certificate, chain, encrypted key."""
    key = ec.generate_private_key(ec.SECP384R1())
    certificate = certify(*root, key.public_key(), named("Taken over"))
    return {"key": key, "certificate": write(f"{tmp_path}/ca.pem", pem(certificate)),
            "chain": write(f"{tmp_path}/chain.pem", pem(certificate) + pem(root[1])),
            "encrypted": write(f"{tmp_path}/ca.key", key_pem(key, b"correct horse"), 0o600),
            "passphrase": write(f"{tmp_path}/pass", "correct horse\n", 0o400), "dir": f"{tmp_path}/etc"}


def run_import(e, *words, key=None, certificate=None, check=False):
    return assayctl("import", "--certificate", certificate or e["certificate"], "--key", key or e["encrypted"], "--dir", e["dir"],
                    *words, check=check)


def test_an_existing_ca_is_taken_over(exported):
    e = exported
    done = run_import(e, "--passphrase", e["passphrase"], "--chain", e["chain"], "--name", "old", check=True)
    assert f"[issuer old]\ncertificate = {e['dir']}/pki/old.pem\nchain = {e['dir']}/pki/old-chain.pem\nkey = {e['dir']}/pki/old.key\n" \
        in done.stdout
    assert stat.S_IMODE(os.stat(f"{e['dir']}/pki/old.key").st_mode) == 0o400
    assert stat.S_IMODE(os.stat(f"{e['dir']}/pki/old.pem").st_mode) == 0o644
    with open(f"{e['dir']}/pki/old.key", "rb") as text:
        key = serialization.load_pem_private_key(text.read(), None)
    assert key.public_key().public_numbers() == e["key"].public_key().public_numbers()
    again = run_import(e, "--passphrase", e["passphrase"], "--name", "old")
    assert again.returncode == 1 and "File exists" in again.stderr
    run_import(e, "--passphrase", e["passphrase"], "--keep-encrypted", "--name", "kept", check=True)
    with open(f"{e['dir']}/pki/kept.key", "rb") as text:
        assert b"BEGIN ENCRYPTED PRIVATE KEY" in text.read()


def test_a_passphrase_is_asked_for_on_the_terminal(exported):
    e = exported
    done = run_import(e)
    assert done.returncode == 1 and "--passphrase" in done.stderr
    for typed, status in ((b"battery staple\n", 1), (b"correct horse\n", 0)):
        pid, terminal = pty.fork()
        if pid == 0:
            os.execv(ASSAYCTL, ["assayctl", "import", "--certificate", e["certificate"], "--key", e["encrypted"], "--dir", e["dir"]])
        shown = b""
        while b"Passphrase of" not in shown:
            shown += os.read(terminal, 1024)
        time.sleep(0.2)
        os.write(terminal, typed)
        try:
            while True:
                part = os.read(terminal, 4096)
                if not part:
                    break
                shown += part
        except OSError:
            pass
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == status, shown
        assert typed.strip() not in shown


def test_what_is_refused_leaves_nothing(exported, root, tmp_path):
    e = exported
    public = e["key"].public_key()
    other = ec.generate_private_key(ec.SECP256R1())
    plain = write(f"{tmp_path}/plain.key", key_pem(e["key"]), 0o600)

    def made(name, **kwargs):
        return write(f"{tmp_path}/{name}.pem", pem(certify(*root, public, named(name), **kwargs)))
    cases = [
        ({"key": write(f"{tmp_path}/other.key", key_pem(other), 0o600)}, (), "is not the key of"),
        ({"key": write(f"{tmp_path}/open.key", key_pem(e["key"]), 0o644)}, (), "others may have read it"),
        ({"key": write(f"{tmp_path}/p521.key", key_pem(ec.generate_private_key(ec.SECP521R1())), 0o600)}, (), "P-256, P-384 or RSA"),
        ({"key": f"{tmp_path}/none.key"}, (), "cannot open"),
        ({"certificate": made("leaf", ca=False, crl_sign=False)}, (), "no CA certificate"),
        ({"certificate": made("no-crl", crl_sign=False)}, (), "cRLSign"),
        ({"certificate": made("ended", days=-1)}, (), "expired"),
        ({"certificate": made("sha1", digest=hashes.SHA1())}, (), "digest"),
        ({"certificate": write(f"{tmp_path}/junk.pem", "junk")}, (), "no PEM certificate"),
        ({}, ("--chain", write(f"{tmp_path}/short.pem", pem(root[1]))), "must begin with"),
        ({}, ("--name", "../x"), "--name"),
        ({"key": "pkcs11:object=x?module-path=/nonexistent.so"}, (), "cannot load"),
    ]
    for changes, words, said in cases:
        done = run_import(e, *words, **{"key": plain, **changes})
        assert done.returncode == 1 and said in done.stderr, (said, done.stderr)
        assert not os.path.exists(e["dir"])
    assert run_import(e, "--passphrase", e["passphrase"], "--keep-encrypted", key=plain).returncode == 1
    assert not os.path.exists(e["dir"])
