"""assayctl on a live CA: what init leaves behind, check-config, migrate, status and revoke."""

import hashlib
import os
import re
import stat
import subprocess

import psycopg2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from conftest import SOURCE, assayctl, short, wait_for

ROLES = ["assay-directory", "assay-account", "assay-order", "assay-ocsp", "assay-validator", "assay-signer", "assay-ocsp-signer",
         "assay-keeper", "assay-admin"]


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def test_init_leaves_secrets_to_their_owners_alone(ca, folder):
    assert mode(f"{folder}/root.key") == 0o400
    assert mode(f"{ca.dir}/pki/issuer.key") == 0o400
    assert mode(f"{ca.dir}/redis.acl") == 0o400
    for store in ("database", "redis"):
        for role in ROLES:
            assert mode(f"{ca.dir}/secrets/{store}/{role}") == 0o400
            assert len(ca.password(store, role)) == 24
    assert len({ca.password(store, role) for store in ("database", "redis") for role in ROLES}) == 2 * len(ROLES)
    with open(f"{ca.dir}/redis.acl", encoding="ascii") as acl:
        text = acl.read()
    assert not any(ca.password("redis", role) in text for role in ROLES)


def test_init_makes_a_root_and_an_issuer_that_openssl_accepts(ca):
    root, issuer = ca.pem("root"), ca.pem("issuer")
    assert root.subject == root.issuer == issuer.issuer
    assert issuer.extensions.get_extension_for_class(x509.BasicConstraints).value == x509.BasicConstraints(True, 0)
    usage = issuer.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical and usage.value.key_cert_sign and usage.value.crl_sign and not usage.value.digital_signature
    done = subprocess.run(["openssl", "verify", "-x509_strict", "-CAfile", f"{ca.dir}/pki/root.pem", f"{ca.dir}/pki/issuer.pem"],
                          capture_output=True, check=False)
    assert done.returncode == 0
    assert 19 * 365 < (root.not_valid_after - root.not_valid_before).days < 21 * 366
    assert 9 * 365 < (issuer.not_valid_after - issuer.not_valid_before).days < 11 * 366


def test_init_overwrites_nothing_and_leaves_nothing_half_done(ca, folder):
    before = {name: os.stat(f"{ca.dir}/{name}").st_mtime_ns for name in os.listdir(ca.dir)}
    done = assayctl("init", "--dir", ca.dir, "--root-key", f"{folder}/root2.key", "--base-url", "https://x.test", check=False)
    assert done.returncode == 1 and "File exists" in done.stderr and done.stderr.count("\n") == 1
    assert not os.path.exists(f"{folder}/root2.key")
    assert before == {name: os.stat(f"{ca.dir}/{name}").st_mtime_ns for name in os.listdir(ca.dir)}
    done = assayctl("init", "--dir", f"{folder}/half", "--root-key", f"{folder}/root2.key", "--base-url", "https://x.test",
                    "--set", "orders.name_max=3", check=False)
    assert done.returncode == 1 and "names_max" in done.stderr
    assert not os.path.exists(f"{folder}/half") and not os.path.exists(f"{folder}/root2.key")


@pytest.mark.parametrize("key_type", ["p384", "rsa3072"])
def test_init_takes_other_key_types_and_a_passphrase(folder, key_type):
    passphrase = f"{folder}/{key_type}.pass"
    with open(passphrase, "w", encoding="ascii") as out:
        out.write("correct horse battery\n")
    target = f"{folder}/{key_type}"
    assayctl("init", "--dir", target, "--root-key", f"{target}.root", "--root-passphrase", passphrase, "--base-url",
             "https://x.test", "--key-type", key_type, "--organization", "Käse GmbH", "--country", "DE")
    with open(f"{target}.root", "rb") as text:
        pem = text.read()
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in pem
    key = serialization.load_pem_private_key(pem, b"correct horse battery")
    with open(f"{target}/pki/root.pem", "rb") as text:
        root = x509.load_pem_x509_certificate(text.read())
    assert key.public_key().public_numbers() == root.public_key().public_numbers()
    assert root.subject.rfc4514_string() == "CN=x.test Root,O=Käse GmbH,C=DE"


def test_migrate_may_be_repeated_and_sets_passwords_as_verifiers(ca, database):
    assayctl("-c", ca.conf, "migrate", "--sql", f"{SOURCE}/sql")
    for row in database("SELECT rolname, rolpassword FROM pg_authid WHERE rolname LIKE 'assay-%%' AND rolcanlogin"):
        assert row.rolpassword.startswith("SCRAM-SHA-256$4096:")
        # The server compares: the verifier is the password's.
        psycopg2.connect(user=row.rolname, password=ca.password("database", row.rolname)).close()
        with pytest.raises(psycopg2.OperationalError):
            psycopg2.connect(user=row.rolname, password="wrong")


def test_redis_users_may_do_their_work_and_nothing_else(ca, redis):
    def ask(user, *words):
        return redis(*words, user=user, password=ca.password("redis", user))

    for user in ROLES:
        assert ask(user, "PING") == "PONG"
        for words in (["FLUSHALL"], ["CONFIG", "GET", "*"], ["EVAL", "return 1", "0"], ["KEYS", "*"], ["SET", "foreign", "1"],
                      ["ACL", "LIST"], ["XTRIM", "q:sign", "MAXLEN", "0"], ["DEL", "q:sign"]):
            assert ask(user, *words).startswith("NOPERM"), (user, words)
    # A handler adds work and cannot read or remove it.
    assert "-" in ask("assay-order", "XADD", "q:sign", "*", "s", "x" * 22)
    assert ask("assay-order", "XRANGE", "q:sign", "-", "+").startswith("NOPERM")
    assert ask("assay-order", "XDEL", "q:sign", "1-1").startswith("NOPERM")
    assert ask("assay-account", "XADD", "q:sign", "*", "s", "x" * 22).startswith("NOPERM")
    assert ask("assay-signer", "GET", "nonce:key:x").startswith("NOPERM")
    redis("DEL", "q:sign")


def test_check_config_tries_everything(ca, database, redis):
    done = assayctl("-c", ca.conf, "check-config", check=False)
    lines = done.stdout.splitlines()
    assert f"ok       configuration {ca.conf}" in lines
    for role in ROLES:
        assert f"ok       database as {role}" in lines
        assert f"ok       Redis as {role}" in lines
    assert any(line.startswith("ok       issuer main: certificate, chain and key fit") for line in lines)
    assert any(line.startswith("ok       clock:") for line in lines)
    assert "ok       profile six_days: certificates: 6 days" in lines


def test_check_config_says_what_a_public_ca_may_not(ca, database, redis):
    """The limits of our day and those to come; warnings fail nothing."""
    path = f"{ca.dir}/long.conf"
    with open(ca.conf, encoding="utf-8") as text, open(path, "w", encoding="utf-8") as out:
        out.write(text.read() + "\n[profile long]\nvalidity = 300d\n[profile until_2029]\nvalidity = 90d\n")
    lines = assayctl("-c", path, "check-config", check=False).stdout.splitlines()
    (line,) = [line for line in lines if "profile long: " in line]
    assert line.startswith("warning  ") and "a publicly trusted CA may have " in line
    (line,) = [line for line in lines if "profile until_2029: " in line]
    assert line.endswith("may have 47 at most from 2029-03-15 on")
    assert not any(line.startswith("FAILED   profile") for line in lines)


def test_check_config_says_what_is_wrong(ca, folder, database, redis):
    broken = f"{ca.dir}/broken.conf"
    with open(ca.conf, encoding="utf-8") as text:
        original = text.read()

    def check(old, new):
        assert old in original
        with open(broken, "w", encoding="utf-8") as out:
            out.write(original.replace(old, new))
        done = assayctl("-c", broken, "check-config", check=False)
        assert done.returncode == 1
        return done.stdout + done.stderr

    assert "broken.conf:" in check("base_url =", "base_uri =")
    assert "FAILED   Redis as assay-order: " in check(f"socket = {ca.socket}", "socket = /nonexistent/redis.sock")
    assert "FAILED   database as assay-order: " in check(f"dbname={os.environ['PGDATABASE']}", "dbname=nonexistent")
    assert "FAILED   public suffix list /dev/null" in check("#public_suffixes = public_suffix_list.dat",
                                                             "public_suffixes = /dev/null")
    assert "FAILED   issuer main: " in check("certificate = pki/issuer.pem", "certificate = pki/root.pem")
    os.remove(broken)


def test_status_shows_the_state_of_things(ca, database, redis, signer, enqueue):
    signer()
    order = database.order(["status.example.org"])
    enqueue(order)
    wait_for(lambda: database.state(order).status == 3, what="a certificate")
    text = assayctl("-c", ca.conf, "status").stdout
    for word in ("orders of the last day", "valid", "work under way", "job streams", "dead letters", "issuers", "main"):
        assert word in text


def revoke(ca, *words, why="a test", check=True):
    return assayctl("-c", ca.conf, "revoke", *words, "--why", why, check=check)


class Issued:
    """Certificates with the given names, of one account, all with one key."""

    def __init__(self, database, enqueue, folder, *names):
        self.database = database
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.account = database.account()
        orders = [database.order([name], account=self.account, key=self.key) for name in names]
        enqueue(*orders)
        wait_for(lambda: all(database.state(order).status == 3 for order in orders), what="certificates")
        self.serials = [bytes(database.state(order).serial).hex() for order in orders]
        self.certificates = [database.certificate(order) for order in orders]
        self.folder = folder

    def reasons(self):
        return [self.database.one("SELECT reason FROM certificates WHERE serial = %s", bytes.fromhex(s)).reason for s in self.serials]

    def file(self, name, content):
        path = f"{self.folder}/{name}"
        with open(path, "wb") as out:
            out.write(content if isinstance(content, bytes) else content.encode())
        return path


@pytest.fixture
def issued(ca, database, redis, signer, enqueue, folder):
    signer()
    return lambda *names: Issued(database, enqueue, folder, *names)


def test_revoke_shows_first_and_does_it_when_told(ca, database, issued):
    given = issued("revoke.example.org")
    (serial,) = given.serials
    for words in ([], ["--dry-run"], ["--expect", "1"]):
        done = revoke(ca, "--serial", serial, "--reason", "superseded", *words)
        assert f"{serial}  until 20" in done.stdout and "revoke.example.org" in done.stdout, done.stdout
        assert "1 found, of 1 accounts, by main; 1 would change, 0 are revoked already." in done.stdout
        assert "Nothing was changed: to revoke, add --yes --expect 1" in done.stdout
        assert given.reasons() == [None]
    spelled = ":".join(serial[i:i + 2] for i in range(0, len(serial), 2)).upper()
    assert "\n1 revoked." in revoke(ca, "--serial", spelled, "--reason", "superseded", "--yes").stdout
    assert given.reasons() == [4]
    assert "\n0 revoked." in revoke(ca, "--serial", serial, "--reason", "5", "--yes").stdout
    assert given.reasons() == [4]
    act = database.one("SELECT * FROM revocation_acts ORDER BY id DESC LIMIT 1")
    assert (act.actor, act.why, act.selection, act.found, act.revoked) == ("assay-admin", "a test", "1 serial numbers", 1, 1)
    assert database.one("SELECT actor, detail FROM audit_log WHERE action = 'certificate.revoke' AND object = %s",
                        serial) == ("assay-admin", f"reason 4, act {act.id}: a test")


def test_revoke_takes_lists_and_certificates(ca, database, issued):
    given = issued("list1.example.org", "list2.example.org", "list3.example.org")
    listed = given.file("serials", f"# two of three\r\n{given.serials[0]}, \t{given.serials[1].upper()}# the second\n\n")
    pem = given.file("some.pem", given.certificates[2].public_bytes(serialization.Encoding.PEM))
    assert "2 found" in revoke(ca, "--serials", listed, "--reason", "4").stdout
    assert "3 found" in revoke(ca, "--serials", listed, "--certificate", pem, "--serial", given.serials[0], "--reason", "4").stdout
    shown = revoke(ca, "--serials", listed, "--show", "1", "--reason", "4").stdout
    assert "… and 1 more" in shown and len(re.findall("until 20", shown)) == 1
    assert "2 revoked." in revoke(ca, "--serials", listed, "--reason", "4", "--yes").stdout
    assert given.reasons() == [4, 4, None]
    assert "1 revoked." in revoke(ca, "--certificate", pem, "--reason", "privilegeWithdrawn", "--yes").stdout
    assert given.reasons() == [4, 4, 9]


def test_revoke_by_account_name_and_time(ca, database, issued):
    first, second = issued("a1.example.org", "a2.example.org"), issued("b1.example.org")
    url = f"https://acme.example.org/acme/account/{short(first.account)}"
    for account in (str(first.account), short(first.account), url):
        assert "2 would change" in revoke(ca, "--account", account, "--reason", "4").stdout
    assert "1 would change" in revoke(ca, "--account", url, "--name", "a2.example.org", "--reason", "4").stdout
    assert "0 would change" in revoke(ca, "--name", "example.org", "--reason", "4").stdout
    now = database.one("SELECT to_char(reserved_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') AS at"
                       " FROM certificates WHERE serial = %s", bytes.fromhex(second.serials[0])).at
    assert "1 would change" in revoke(ca, "--name", "b1.example.org", "--from", now, "--reason", "4").stdout
    assert "0 would change" in revoke(ca, "--name", "b1.example.org", "--from", "2020-01-01T00:00:00Z", "--until", now, "--reason",
                                      "4").stdout
    assert "0 would change" in revoke(ca, "--from", now, "--issuer", "other", "--reason", "4").stdout
    assert "1 would change" in revoke(ca, "--name", "b1.example.org", "--issuer", "main", "--profile", "default", "--reason", "4").stdout
    refused = revoke(ca, "--account", url, "--reason", "4", "--yes", check=False)
    assert refused.returncode == 1 and "--yes needs --expect N" in refused.stderr
    refused = revoke(ca, "--account", url, "--reason", "4", "--yes", "--expect", "3", check=False)
    assert refused.returncode == 1 and "2 would change, and not 3; nothing was revoked" in refused.stderr
    assert first.reasons() == [None, None]
    assert "2 revoked." in revoke(ca, "--account", url, "--reason", "4", "--yes", "--expect", "2").stdout
    assert first.reasons() == [4, 4] and second.reasons() == [None]


@pytest.mark.parametrize("kind", ["hash", "certificate", "public", "private", "compressed"])
def test_revoke_by_key(ca, database, issued, kind):
    given = issued("k1.example.org", "k2.example.org")
    public = given.key.public_key()
    der, pem, info = serialization.Encoding.DER, serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    spki = hashlib.sha256(public.public_bytes(der, info)).hexdigest()
    if kind == "hash":
        words = ["--key", spki.upper()]
    elif kind == "compressed":
        text = subprocess.run(["openssl", "ec", "-pubin", "-conv_form", "compressed"], input=public.public_bytes(pem, info),
                              capture_output=True, check=True).stdout
        words = ["--key-of", given.file("key.pem", text)]
    else:
        words = ["--key-of", given.file("key.pem", {
            "certificate": given.certificates[0].public_bytes(pem), "public": public.public_bytes(pem, info),
            "private": given.key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())}[kind])]
    assert "2 would change" in revoke(ca, *words, "--reason", "keyCompromise").stdout
    assert database("SELECT 1 FROM blocked_keys WHERE encode(spki_sha256, 'hex') = %s", spki) == []
    assert "2 revoked." in revoke(ca, *words, "--reason", "keyCompromise", "--yes", "--expect", "2").stdout
    assert given.reasons() == [1, 1]
    assert database.one("SELECT revoking FROM blocked_keys WHERE encode(spki_sha256, 'hex') = %s", spki).revoking
    assert "0 would change, 2 are revoked" in revoke(ca, *words, "--reason", "keyCompromise").stdout


def test_revoke_by_serial_for_its_key_takes_the_other_with_it(ca, database, issued):
    given = issued("both1.example.org", "both2.example.org")
    revoke(ca, "--serial", given.serials[0], "--reason", "1", "--yes")
    assert given.reasons() == [1, None]
    assert database.one("SELECT revocation_sweep() AS n").n == 1, "what the keeper does next"
    assert given.reasons() == [1, 1]


@pytest.mark.parametrize("words,message", [
    (["--reason", "0"], "which certificates?"),
    (["--reason", "0", "--until", "2026-11-21T00:00:00Z", "--issuer", "main"], "which certificates?"),
    (["--serial", "00", "--reason", "0"], "36 hexadecimal digits"),
    (["--serial", "40" + "g" * 34, "--reason", "0"], "36 hexadecimal digits"),
    (["--serial", "40" * 19, "--reason", "0"], "36 hexadecimal digits"),
    (["--serial", "4:0" + "0" * 34, "--reason", "0"], "36 hexadecimal digits"),
    (["--serial", "41" * 18, "--reason", "0"], "begin with 40"),
    (["--serial", "40" * 18], "--reason REASON is missing"),
    (["--serial", "40" * 18, "--reason", "certificateHold"], "there is no reason"),
    (["--serial", "40" * 18, "--reason", "6"], "there is no reason"),
    (["--serial", "40" * 18, "--reason", "0"], "1 of 1 are unknown, have expired"),
    (["--serial", "40" * 18, "--reason", "0", "--yes"], "nothing was revoked"),
    (["--serial", "40" * 18, "--reason", "0", "--yes", "--dry-run"], "--yes or --dry-run?"),
    (["--serial", "40" * 18, "--reason", "0", "--expect", "-1"], "--expect takes a number"),
    (["--serial", "40" * 18, "--reason", "0", "--expect", "1x"], "--expect takes a number"),
    (["--serial", "40" * 18, "--reason", "0", "--show", "1000000"], "--show takes a number"),
    (["--serials", "/nonexistent", "--reason", "0"], "/nonexistent: No such file"),
    (["--serials", "/dev/null", "--reason", "0"], "/dev/null: "),
    (["--certificate", "/etc/passwd", "--reason", "0"], "/etc/passwd holds no PEM certificate"),
    (["--account", "1", "--reason", "0"], "is no account"),
    (["--account", "0" * 33, "--reason", "0"], "is no account"),
    (["--key", "00", "--reason", "0"], "64 hexadecimal digits"),
    (["--key-of", "/etc/passwd", "--reason", "0"], "no key in PEM"),
    (["--from", "yesterday", "--reason", "0"], "is no time"),
    (["--from", "2026-11-21T00:00:00Z", "--reason", "0", "extra"], "one word too many"),
])
def test_revoke_refuses_in_one_line(ca, database, words, message):
    done = assayctl("-c", ca.conf, "revoke", *words, check=False)
    assert done.returncode == 1 and message in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_revoke_refuses_what_is_not_ours_and_lists_of_nothing(ca, database, folder):
    path = f"{folder}/nothing"
    with open(path, "w", encoding="utf-8") as out:
        out.write("# nothing\n")
    done = revoke(ca, "--serials", path, "--from", "2020-01-01T00:00:00Z", "--reason", "4", check=False)
    assert done.returncode == 1 and "there is no serial number in the list" in done.stderr
    done = revoke(ca, "--certificate", f"{ca.dir}/pki/root.pem", "--reason", "4", check=False)
    assert done.returncode == 1 and "is not one of ours" in done.stderr
    done = revoke(ca, "--serial", "40" * 18, "--reason", "4", why="", check=False)
    assert done.returncode == 1 and "--why says nothing" in done.stderr


def test_help_and_version():
    assert assayctl("--version").stdout.startswith("assay ")
    for command in ("init", "check-config", "migrate", "status", "revoke"):
        assert assayctl(command, "--help").stdout.startswith("usage: assayctl")
        assert command in assayctl("--help").stdout
