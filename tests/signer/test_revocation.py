"""assayctl revoke; and the race of a signer with a key that is blocked meanwhile: no certificate with it stays unrevoked."""

import hashlib
import os
import re
import subprocess

import psycopg2
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from conftest import assayctl, short, wait_for


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
    database("SELECT revocation_sweep()")  # what the keeper does next
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


@pytest.fixture
def other(database):
    """A second session, in a transaction that it ends itself."""
    connection = psycopg2.connect("")
    with connection.cursor() as cursor:
        cursor.execute("SET search_path = assay, pg_catalog")
        connection.commit()
        yield connection, cursor
    connection.close()


def record(cursor, database, order, spki, serial):
    tbs = os.urandom(200)
    issuer = database("SELECT sha256 FROM issuers LIMIT 1")[0].sha256
    cursor.execute("SELECT issuance_record(ARRAY[%s]::uuid[], ARRAY[%s], ARRAY[%s]::bytea[], ARRAY[%s]::bytea[], ARRAY[%s]::bytea[],"
                   " ARRAY[%s]::bytea[], ARRAY[now()], ARRAY[now() + interval '1 day'], ARRAY[0])",
                   (order, database.state(order).attempt, serial, tbs, spki, issuer))
    return cursor.fetchall()


@pytest.mark.parametrize("order_of_ids", ["signer first", "block first"])
def test_a_certificate_that_is_recorded_while_its_key_is_blocked_is_revoked(database, signer, other, order_of_ids):
    signer().stop()  # registers the issuer
    connection, cursor = other
    key = ec.generate_private_key(ec.SECP256R1())
    spki = hashlib.sha256(key.public_key().public_bytes(serialization.Encoding.DER,
                                                        serialization.PublicFormat.SubjectPublicKeyInfo)).digest()
    orders = [database.order([f"race{i}.example.org"], key=key) for i in range(2)]
    seconds = int(database.one("SELECT extract(epoch FROM now())::bigint AS now").now)
    serials = [b"@" + seconds.to_bytes(4, "big") + os.urandom(13) for _ in orders]

    def sweep():
        return database.one("SELECT revocation_sweep() AS n").n

    def blocked():
        return database.one("SELECT revoking FROM blocked_keys WHERE spki_sha256 = %s", spki).revoking

    while sweep() > 0:
        pass
    database("BEGIN")
    if order_of_ids == "block first":
        database("SELECT keys_block(ARRAY[%s]::bytea[], 'a test', true)", spki)
    assert record(cursor, database, orders[0], spki, serials[0]), "the signer looked before the key was blocked"
    if order_of_ids == "signer first":
        database("SELECT keys_block(ARRAY[%s]::bytea[], 'a test', true)", spki)
    database("COMMIT")
    assert sweep() == 1, "looked at, and nothing to be seen"
    for _ in range(3):
        assert sweep() == 0 and blocked(), "but somebody may be at it"
    connection.commit()
    assert sweep() == 1, "the certificate"
    assert database.one("SELECT reason FROM certificates WHERE serial = %s", serials[0]).reason == 1
    sweep()
    assert not blocked(), "nobody can any more"
    assert record(cursor, database, orders[1], spki, serials[1]) == [], "the signer is refused"
    connection.rollback()


def test_a_transaction_that_began_later_does_not_hold_it_up(database, other):
    connection, cursor = other
    spki = os.urandom(32)
    database("SELECT keys_block(ARRAY[%s]::bytea[], 'a test', true)", spki)
    database("SELECT revocation_sweep()")
    cursor.execute("SELECT pg_current_xact_id()")
    database("SELECT revocation_sweep()")
    assert not database.one("SELECT revoking FROM blocked_keys WHERE spki_sha256 = %s", spki).revoking
    connection.rollback()
