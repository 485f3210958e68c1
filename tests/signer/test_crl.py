"""Revocation lists: what the signer makes, what the keeper publishes, and what OpenSSL and GnuTLS say to it."""

import glob
import hashlib
import os
import re
import signal
import subprocess
import time

import pytest
from conftest import BUILD, SIGNER, Signer, short, uuid7, wait_for
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtensionOID

KEEPER = f"{BUILD}/workers/keeper/assay-keeper"
SHARDS = 4
BASE = "http://pki.example.org/issuer.crl"
SANITIZED = b"__asan_init" in open(SIGNER, "rb").read()


class Keeper(Signer):
    """assay-keeper with the CA's configuration and settings of its own."""

    def __init__(self, ca, scratch, prefix=(), **settings):
        path = f"{ca.dir}/keeper-{time.monotonic_ns()}.conf"
        with open(ca.conf, encoding="utf-8") as text:
            conf = text.read()
        with open(path, "w", encoding="utf-8") as out:
            out.write(re.sub(r"(?m)^\[workers\]$", "[workers]\nsweep = 1s",
                             re.sub(r"(?m)^\[crl\]$", "[crl]\n" + "".join(f"{k} = {v}\n" for k, v in settings.items()), conf)))
        self.log_path = f"{scratch}/keeper-{time.monotonic_ns()}.log"
        env = {name: value for name, value in os.environ.items() if name not in ("PGUSER", "PGHOST", "PGDATABASE")}
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([*prefix, KEEPER, "-c", path], stderr=log, stdin=subprocess.DEVNULL, env=env)

    def wait_ready(self):
        wait_for(lambda: "started" in self.log() or self.process.poll() is not None, what="a keeper")
        assert self.process.poll() is None, self.log()
        return self


@pytest.fixture
def keeper(ca, database, redis, folder):
    running = []

    def start(**settings):
        running.append(Keeper(ca, folder, **{"delay": "1s", **settings}))
        return running[-1].wait_ready()

    yield start
    for one in running:
        if one.process.poll() is None:
            assert one.stop() == 0, one.log()
        assert "Sanitizer" not in one.log(), one.log()


@pytest.fixture
def public(folder):
    path = f"{folder}/public-{time.monotonic_ns()}"
    os.mkdir(path)
    return path


def row(database, shard=1):
    return database.one("SELECT s.* FROM crl_shards s WHERE s.url = %s", f"{BASE}/{shard}.crl")


def listed(database, shard=1):
    """The newest list of a shard, from its parts."""
    parts = database("SELECT s.sha256, s.size, p.bytes FROM crl_shards s JOIN crl_parts p ON p.shard_id = s.id AND"
                     " p.number = s.number WHERE s.url = %s ORDER BY p.part", f"{BASE}/{shard}.crl")
    one = parts[0]
    der = b"".join(bytes(part.bytes) for part in parts)
    assert hashlib.sha256(der).digest() == bytes(one.sha256) and len(der) == one.size
    return x509.load_der_x509_crl(der)


def serials(crl):
    return {entry.serial_number for entry in crl}


def extension(thing, oid):
    return thing.extensions.get_extension_for_oid(oid)


def make(redis, database, shard=1):
    """Has one shard made now. Returns its list."""
    before = row(database, shard)
    database("UPDATE crl_shards SET due_at = now(), held_until = NULL WHERE id = %s", before.id)
    redis("XADD", "q:sign", "*", "l", short(before.id))
    wait_for(lambda: row(database, shard).number > before.number, what="a list")
    return listed(database, shard)


def all_made(redis, database):
    for one in database("SELECT id FROM crl_shards WHERE number = 0 AND issuer IS NOT NULL"):
        redis("XADD", "q:sign", "*", "l", short(one.id))
    wait_for(lambda: not database("SELECT 1 FROM crl_shards WHERE number = 0 AND url LIKE %s", BASE + "%"), what="all lists")


def revoke(database, serial, reason=0):
    assert database.one("SELECT certificates_revoke(ARRAY[%s::bytea], %s, 'test')", serial, reason).certificates_revoke == 1


def issued(database, enqueue, name, **kwargs):
    """A certificate: its row and its DER."""
    order = database.order([name], **kwargs)
    enqueue(order)
    wait_for(lambda: database.state(order).status == 3, what="a certificate")
    return database.certificates(order)[0]


def given(database, shard, count=1, life="10 days", at="now()"):
    """Rows of certificates as only rows can be: shard, validity and all. Their serials."""
    issuer = database.one("SELECT i.id FROM issuers i JOIN crl_shards s ON s.issuer = i.id WHERE s.url = %s", f"{BASE}/1.crl").id
    return [bytes(one.serial) for one in database(
        "INSERT INTO certificates (serial, order_id, account_id, not_before, not_after, issuer, crl_shard, spki_sha256, names, tbs)"
        f" SELECT decode('40' || lpad(to_hex(extract(epoch FROM {at})::bigint), 8, '0') ||"
        " substr(encode(sha256((gen_random_uuid()::text || n)::bytea), 'hex'), 1, 26), 'hex'), gen_random_uuid(), gen_random_uuid(),"
        " now() - interval '20 days', now() + %s::interval, %s, %s, '\\x00', '{x.org}', '\\x00' FROM generate_series(1, %s) n"
        " RETURNING serial", life, issuer, shard, count)]


def expire(database, serial, ago):
    """As if time had passed: what is fixed is changed by the owner alone."""
    database("ALTER TABLE certificates DISABLE TRIGGER certificates_fixed")
    database("UPDATE certificates SET not_after = now() - %s::interval WHERE serial = %s", ago, serial)
    database("ALTER TABLE certificates ENABLE TRIGGER certificates_fixed")


def run(*words):
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout + done.stderr


def write(path, data):
    with open(path, "wb") as out:
        out.write(data)
    return path


# --- what is made ----------------------------------------------------------------------------------------------------


def test_every_shard_has_a_list_soon_after_the_issuer_is_known(ca, database, redis, signer, keeper):
    signer()
    keeper()
    wait_for(lambda: database("SELECT 1 FROM crl_shards WHERE url LIKE %s", BASE + "%"), what="shards")
    wait_for(lambda: not database("SELECT 1 FROM crl_shards WHERE number = 0 AND url LIKE %s", BASE + "%"), what="first lists")
    issuer = ca.pem("issuer")
    rows = database("SELECT * FROM crl_shards WHERE url LIKE %s ORDER BY shard", BASE + "%")
    assert [one.shard for one in rows] == list(range(1, SHARDS + 1))
    for one in rows:
        crl = listed(database, one.shard)
        assert crl.is_signature_valid(issuer.public_key()) and crl.issuer == issuer.subject
        assert {e.oid for e in crl.extensions} == {ExtensionOID.AUTHORITY_KEY_IDENTIFIER, ExtensionOID.CRL_NUMBER,
                                                   ExtensionOID.ISSUING_DISTRIBUTION_POINT}
        point = extension(crl, ExtensionOID.ISSUING_DISTRIBUTION_POINT)
        assert point.critical and point.value.only_contains_user_certs and not point.value.indirect_crl
        assert [name.value for name in point.value.full_name] == [f"{BASE}/{one.shard}.crl"]
        assert extension(crl, ExtensionOID.CRL_NUMBER).value.crl_number == one.number
        # Seven days, both ends included.
        assert (crl.next_update - crl.last_update).total_seconds() == 7 * 86400 - 1


def test_a_shard_without_revocations_has_no_empty_sequence(database, redis, signer, folder):
    signer()
    all_made(redis, database)
    shards = [n for n in range(1, SHARDS + 1) if not list(listed(database, n))]
    assert shards, "each shard has entries: the test comes too late"
    path = write(f"{folder}/empty.crl", listed(database, shards[0]).public_bytes(serialization.Encoding.DER))
    code, said = run("openssl", "crl", "-inform", "DER", "-in", path, "-noout", "-text")
    assert code == 0 and "No Revoked Certificates" in said
    # thisUpdate, nextUpdate, and then at once [0]: no element between them.
    code, said = run("openssl", "asn1parse", "-inform", "DER", "-in", path)
    assert re.search(r"UTCTIME.*\n.*UTCTIME.*\n.*cont \[ 0 \]", said), said


@pytest.fixture
def revocable(ca, database, redis, signer, enqueue):
    """A good and a revoked certificate of one shard, with the shard's list from before and after."""
    signer()
    all_made(redis, database)
    good = issued(database, enqueue, "good.example.org")
    bad = issued(database, enqueue, "bad.example.org")
    while bad.crl_shard != good.crl_shard:
        bad = issued(database, enqueue, "bad.example.org")
    before = make(redis, database, good.crl_shard)
    revoke(database, bad.serial, 4)
    return good, bad, before, make(redis, database, good.crl_shard)


def test_openssl_tells_the_good_from_the_revoked(ca, folder, revocable):
    good, bad, before, after = revocable
    chain = f"{folder}/chain-{good.crl_shard}.pem"
    run("openssl", "x509", "-in", f"{ca.dir}/pki/issuer.pem", "-out", chain)

    def check(certificate, crl):
        path = write(f"{folder}/crl.pem", crl.public_bytes(serialization.Encoding.PEM))
        leaf = x509.load_der_x509_certificate(bytes(certificate.der))
        leaf_path = write(f"{folder}/leaf.pem", leaf.public_bytes(serialization.Encoding.PEM))
        return run("openssl", "verify", "-x509_strict", "-crl_check", "-extended_crl", "-CAfile", f"{ca.dir}/pki/root.pem",
                   "-untrusted", chain, "-CRLfile", path, leaf_path)

    assert check(good, before)[0] == 0 and check(bad, before)[0] == 0 and check(good, after)[0] == 0
    code, said = check(bad, after)
    assert code != 0 and "certificate revoked" in said
    # The same list under another certificate's shard is not in scope: the distribution points differ.
    point = extension(x509.load_der_x509_certificate(bytes(good.der)), ExtensionOID.CRL_DISTRIBUTION_POINTS).value[0]
    assert point.full_name[0].value == f"{BASE}/{good.crl_shard}.crl"


def test_gnutls_verifies_the_list(ca, folder, revocable):
    _, bad, _, after = revocable
    path = write(f"{folder}/gnutls.crl", after.public_bytes(serialization.Encoding.PEM))
    code, said = run("certtool", "--verify-crl", "--load-ca-certificate", f"{ca.dir}/pki/issuer.pem", "--infile", path)
    assert code == 0 and "Verified" in said, said
    code, said = run("certtool", "--crl-info", "--infile", path)
    assert code == 0 and bytes(bad.serial).hex() in said, said


def test_each_reason_is_said_as_the_rules_allow(database, redis, signer):
    signer()
    all_made(redis, database)
    rows = {reason: given(database, 2)[0] for reason in (0, 1, 2, 3, 4, 5, 6, 8, 9, 10)}
    for reason, serial in rows.items():
        database("UPDATE certificates SET revoked_at = now(), reason = %s WHERE serial = %s", reason, serial)
    crl = make(redis, database, 2)
    said = {}
    for reason, serial in rows.items():
        entry = crl.get_revoked_certificate_by_serial_number(int.from_bytes(serial, "big"))
        flags = [e.value.reason for e in entry.extensions]
        assert [e.critical for e in entry.extensions] in ([], [False])
        said[reason] = flags[0] if flags else None
    r = x509.ReasonFlags
    assert said == {0: None, 1: r.key_compromise, 2: None, 3: r.affiliation_changed, 4: r.superseded,
                    5: r.cessation_of_operation, 6: None, 8: None, 9: r.privilege_withdrawn, 10: None}


def test_burnt_serials_are_listed(database, redis, signer, enqueue):
    order = database.order(["burnt.example.org"])
    one = signer(fail="recorded")
    enqueue(order)
    assert one.process.wait(timeout=20) == -9
    signer()

    def again():
        enqueue(order)
        return database.state(order).status == 3

    wait_for(again, what="the order")
    burnt = [one for one in database.certificates(order) if not one.der]
    assert burnt and all(one.crl_shard > 0 for one in burnt)
    for one in burnt:
        assert int.from_bytes(bytes(one.serial), "big") in serials(make(redis, database, one.crl_shard))


def test_a_profile_without_lists_names_none_and_is_on_none(database, redis, signer, enqueue):
    signer()
    all_made(redis, database)
    one = issued(database, enqueue, "brief.example.org", profile="brief")
    assert one.crl_shard == 0
    leaf = x509.load_der_x509_certificate(bytes(one.der))
    assert ExtensionOID.CRL_DISTRIBUTION_POINTS not in {e.oid for e in leaf.extensions}
    revoke(database, one.serial)
    for shard in range(1, SHARDS + 1):
        assert int.from_bytes(bytes(one.serial), "big") not in serials(make(redis, database, shard))


def test_what_expired_is_listed_once_more_and_then_dropped(database, redis, signer):
    """RFC 5280 section 3.3; both sides of the boundary."""
    signer()
    all_made(redis, database)
    old, late = given(database, 3, 2)
    kept = given(database, 3)[0]
    for serial in (old, late, kept):
        revoke(database, serial)
    database("ALTER TABLE certificates DISABLE TRIGGER certificates_guard")
    database("UPDATE certificates SET revoked_at = now() - interval '5 hours' WHERE serial = ANY (%s)", [old, late, kept])
    database("ALTER TABLE certificates ENABLE TRIGGER certificates_guard")
    number = {name: int.from_bytes(serial, "big") for name, serial in (("old", old), ("late", late), ("kept", kept))}
    assert set(number.values()) <= serials(make(redis, database, 3))
    # It expires behind that list: the next one is the first of behind its end.
    time.sleep(1.1)
    expire(database, old, "0 seconds")
    time.sleep(1.1)
    assert number["old"] in serials(make(redis, database, 3))
    time.sleep(1.1)
    now = serials(make(redis, database, 3))
    assert number["old"] not in now and {number["late"], number["kept"]} <= now


def test_what_was_revoked_a_moment_before_it_expired_is_listed(database, redis, signer):
    """Its transaction may have been open while the list of that moment was made."""
    signer()
    all_made(redis, database)
    serial = given(database, 3)[0]
    make(redis, database, 3)
    revoke(database, serial)
    expire(database, serial, "1 minute")
    assert int.from_bytes(serial, "big") in serials(make(redis, database, 3))


# --- when it is made -------------------------------------------------------------------------------------------------


def test_a_revocation_shows_within_the_delay_and_many_cost_no_more(database, redis, signer, keeper, enqueue):
    signer()
    keeper(delay="2s")
    all_made(redis, database)
    made = given(database, 1, 300) + given(database, 2, 300)
    before = {n: row(database, n).number for n in (1, 2)}
    began = time.monotonic()
    for serial in made:
        revoke(database, serial)
    took = time.monotonic() - began
    want = {int.from_bytes(serial, "big") for serial in made}
    wait_for(lambda: want <= serials(listed(database, 1)) | serials(listed(database, 2)), what="all to be listed")
    # The delay, a sweep to collect, a sweep to queue, and the making.
    assert time.monotonic() - began - took < 2 + 2 + (10 if SANITIZED else 4)
    lists = database.one("SELECT count(*) FROM audit_log WHERE action = 'crl.publish' AND object IN ('issuer.crl/1.crl', 'issuer.crl/2.crl')"
                         " AND at > now() - %s * interval '1 second'", time.monotonic() - began).count
    # One a delay for each of two shards, however many were revoked.
    assert 2 <= lists <= 2 * (2 + took / 2), (lists, took)
    assert all(row(database, n).number > before[n] for n in (1, 2))
    wait_for(lambda: database.one("SELECT count(*) FROM crl_changes").count == 0, what="an empty outbox")


def test_lists_are_refreshed_without_a_revocation(ca, database, redis, signer, keeper):
    signer()
    all_made(redis, database)
    one = row(database)
    assert 86000 < database.one("SELECT extract(epoch FROM due_at - now()) AS secs FROM crl_shards WHERE id = %s", one.id).secs < 86401
    database("UPDATE crl_shards SET due_at = now() WHERE id = %s", one.id)
    keeper()
    wait_for(lambda: row(database).number > one.number, what="a refresh")


def test_a_revocation_while_a_list_is_made_is_not_forgotten(database, redis, signer):
    """The claim counts what was collected: what comes later makes the shard due again, within the delay."""
    signer()
    all_made(redis, database)
    one = row(database)
    database("UPDATE crl_shards SET due_at = now() WHERE id = %s", one.id)
    issuer = database.one("SELECT i.sha256 FROM issuers i WHERE i.id = %s", one.issuer).sha256
    (claim,) = database("SELECT * FROM crl_claim(%s, ARRAY[%s]::bytea[], 30)", one.id, issuer)
    revoke(database, given(database, 1)[0])
    assert database.one("SELECT crl_schedule(100, 5) AS n").n >= 1
    database("SELECT crl_part_store(%s, %s, 0, 'x')", one.id, claim.r_number)
    assert database.one("SELECT crl_publish(%s, %s, %s, %s + interval '1 day', 0, 1, sha256('x'), %s, 3600, 5) AS done", one.id,
                        claim.r_number, claim.r_this_update, claim.r_this_update, claim.r_changes).done
    assert database.one("SELECT due_at < now() + interval '6 seconds' AS soon FROM crl_shards WHERE id = %s", one.id).soon
    make(redis, database)  # a real one again


# --- deaths and doubles ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["crl_claimed", "crl_collected", "crl_stored", "crl_published"])
def test_killed_at(database, redis, signer, step):
    first = signer()
    all_made(redis, database)
    assert first.stop() == 0
    before = row(database)
    serial = given(database, 1)[0]
    revoke(database, serial)
    database("UPDATE crl_shards SET due_at = now(), held_until = NULL WHERE id = %s", before.id)
    one = signer(fail=step)
    redis("XADD", "q:sign", "*", "l", short(before.id))
    assert one.process.wait(timeout=20) == -9
    # What was there stays whole; only the last step had replaced it.
    assert (int.from_bytes(serial, "big") in serials(listed(database))) == (step == "crl_published")
    signer()
    crl = make(redis, database)
    assert int.from_bytes(serial, "big") in serials(crl)
    after = row(database)
    assert after.number > before.number and after.number == after.numbered
    parts = database("SELECT DISTINCT number FROM crl_parts WHERE shard_id = %s", before.id)
    assert [part.number for part in parts] == [after.number]


def test_two_signers_and_many_jobs_make_one_list_after_the_other(database, redis, signer):
    signer()
    signer()
    all_made(redis, database)
    one = row(database)
    given(database, 1, 50)
    seen = [one.number]
    for _ in range(20):
        database("UPDATE crl_shards SET due_at = now(), held_until = NULL WHERE id = %s", one.id)
        for _ in range(4):
            redis("XADD", "q:sign", "*", "l", short(one.id))
        wait_for(lambda: row(database).number > seen[-1], what="a list")
        seen.append(row(database).number)
        listed(database)
    wait_for(lambda: redis("XLEN", "q:sign") == "0", what="an empty stream")
    numbers = [int(re.search(r"number (\d+)", entry.detail).group(1)) for entry in database(
        "SELECT detail FROM audit_log WHERE action = 'crl.publish' AND object = %s ORDER BY at, id", row(database).path)]
    assert numbers == sorted(set(numbers))


def test_a_slow_signer_does_not_replace_a_newer_list(database, redis, signer):
    signer()
    all_made(redis, database)
    one = row(database)
    database("UPDATE crl_shards SET due_at = now(), held_until = NULL WHERE id = %s", one.id)
    issuer = database.one("SELECT i.sha256 FROM issuers i WHERE i.id = %s", one.issuer).sha256
    (claim,) = database("SELECT * FROM crl_claim(%s, ARRAY[%s]::bytea[], 0)", one.id, issuer)
    database("SELECT crl_part_store(%s, %s, 0, 'x')", one.id, claim.r_number)
    make(redis, database)
    newest = row(database)
    assert not database.one("SELECT crl_publish(%s, %s, %s, %s + interval '1 day', 0, 1, sha256('x'), %s, 3600, 5) AS done", one.id,
                            claim.r_number, claim.r_this_update, claim.r_this_update, claim.r_changes).done
    assert row(database) == newest and listed(database)


def test_a_signer_without_the_key_leaves_the_shard_alone(database, redis, signer):
    signer()
    all_made(redis, database)
    one = row(database)
    database("UPDATE crl_shards SET due_at = now(), held_until = NULL WHERE id = %s", one.id)
    assert not database("SELECT * FROM crl_claim(%s, ARRAY[sha256('another')], 30)", one.id)
    assert row(database).numbered == one.numbered
    make(redis, database)


# --- size ------------------------------------------------------------------------------------------------------------


def peak_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as text:
        return int(re.search(r"VmHWM:\s+(\d+)", text.read()).group(1))


def test_memory_does_not_grow_with_the_list(database, redis, signer):
    """100,000 entries in one shard; issuance goes on meanwhile in the same process."""
    one = signer()
    all_made(redis, database)
    make(redis, database, 4)
    before = peak_kib(one.process.pid)
    given(database, 4, 100000)
    database("UPDATE certificates SET revoked_at = now(), reason = 1 WHERE crl_shard = 4 AND revoked_at IS NULL")
    crl = make(redis, database, 4)
    size = row(database, 4).size
    assert len(crl) >= 100000 and size > 4000000
    grown = (peak_kib(one.process.pid) - before) * 1024
    # Measured: 3 MiB; a page of rows, windows and a few parts of 64 KiB on their way.
    assert grown < (64 if SANITIZED else 8) * 1048576, f"{grown} bytes for a list of {size}"
    database("DELETE FROM crl_changes")


# --- publishing ------------------------------------------------------------------------------------------------------


def published(public, shard=1):
    path = f"{public}/issuer.crl/{shard}.crl"
    if not os.path.exists(path):
        return None
    with open(path, "rb") as text:
        return text.read()


def number_of(der):
    return extension(x509.load_der_x509_crl(der), ExtensionOID.CRL_NUMBER).value.crl_number


def test_lists_and_certificates_are_published_where_their_urls_say(ca, database, redis, signer, keeper, public):
    signer()
    all_made(redis, database)
    os.umask(0o077)
    try:
        keeper(folder=public)
    finally:
        os.umask(0o022)
    wait_for(lambda: all(published(public, n) for n in range(1, SHARDS + 1)), what="files")
    wait_for(lambda: os.path.exists(f"{public}/issuer.cer"), what="the certificate")
    for n in range(1, SHARDS + 1):
        assert hashlib.sha256(published(public, n)).digest() == bytes(row(database, n).sha256)
        assert os.stat(f"{public}/issuer.crl/{n}.crl").st_mode & 0o777 == 0o644
    assert os.stat(f"{public}/issuer.crl").st_mode & 0o777 == 0o755
    with open(f"{public}/issuer.cer", "rb") as text:
        assert x509.load_der_x509_certificate(text.read()) == ca.pem("issuer")
    crl = make(redis, database)
    wait_for(lambda: published(public) == crl.public_bytes(serialization.Encoding.DER), what="the next list")
    assert os.listdir(f"{public}/.new") == []


def test_a_file_that_was_changed_or_lost_comes_back(database, redis, signer, keeper, public):
    signer()
    all_made(redis, database)
    os.makedirs(f"{public}/issuer.crl")
    write(f"{public}/issuer.crl/1.crl", b"junk")
    write(f"{public}/issuer.crl/2.crl", b"")
    os.symlink("/etc/passwd", f"{public}/issuer.crl/3.crl")
    os.makedirs(f"{public}/.new")
    write(f"{public}/.new/0123456789abcdef", b"half a list")
    os.utime(f"{public}/.new/0123456789abcdef", (0, 0))
    write(f"{public}/.new/fedcba9876543210", b"being written just now")
    keeper(folder=public)
    for n in (1, 2, 3):
        wait_for(lambda: hashlib.sha256(published(public, n)).digest() == bytes(row(database, n).sha256), what=f"file {n}")
        assert not os.path.islink(f"{public}/issuer.crl/{n}.crl")
    wait_for(lambda: os.listdir(f"{public}/.new") == ["fedcba9876543210"], what="the leftover to go")


def test_readers_never_see_half_a_file(database, redis, signer, keeper, public):
    signer()
    all_made(redis, database)
    keeper(folder=public)
    wait_for(lambda: published(public, 4), what="a file")
    seen = set()
    end = time.monotonic() + 6
    while time.monotonic() < end:
        if len(seen) <= 3:
            make(redis, database, 4)
        for _ in range(200):
            seen.add(number_of(published(public, 4)) if len(published(public, 4)) < 10000 else
                     hashlib.sha256(published(public, 4)).hexdigest())
    known = {bytes.fromhex(re.search(r"sha256 (\w+)", e.detail).group(1)).hex() for e in database(
        "SELECT detail FROM audit_log WHERE action = 'crl.publish' AND object = 'issuer.crl/4.crl'")}
    assert len(seen) >= 2
    assert all(one in known for one in seen if isinstance(one, str))


def test_a_full_disk_leaves_the_list_from_before(database, redis, signer, keeper, public, folder, ca):
    """A limit on the size of files stands for the disk: write() fails in the middle."""
    signer()
    all_made(redis, database)
    first = keeper(folder=public)
    wait_for(lambda: published(public), what="a file")
    assert first.stop() == 0
    before = published(public)
    given(database, 1, 2000)
    database("UPDATE certificates SET revoked_at = now(), reason = 1 WHERE crl_shard = 1 AND revoked_at IS NULL")
    crl = make(redis, database)
    assert row(database).size > 16384
    small = Keeper(ca, folder, prefix=("sh", "-c", "trap '' XFSZ; ulimit -f 16; exec \"$0\" \"$@\""), folder=public)
    try:
        wait_for(lambda: "the one before stays" in open(small.log_path, encoding="utf-8", errors="replace").read(), what="a complaint")
        assert published(public) == before
        wait_for(lambda: os.listdir(f"{public}/.new") == [], what="the half to go")
        assert published(public) == before
    finally:
        small.process.kill()
        small.process.wait()
    keeper(folder=public)
    wait_for(lambda: published(public) == crl.public_bytes(serialization.Encoding.DER), what="the list")


def test_a_keeper_that_is_killed_while_it_publishes_leaves_whole_files(database, redis, signer, keeper, public):
    signer()
    all_made(redis, database)
    for _ in range(5):
        one = keeper(folder=public)
        crl = make(redis, database, 4).public_bytes(serialization.Encoding.DER)
        wait_for(lambda: glob.glob(f"{public}/.new/*") or published(public, 4) == crl, what="a write")
        one.process.kill()
        one.process.wait()
        for n in range(1, SHARDS + 1):
            if published(public, n) is not None:
                x509.load_der_x509_crl(published(public, n))
    keeper(folder=public)
    wait_for(lambda: published(public, 4) == crl, what="the last list")


def test_numbers_rise_over_a_database_of_yesterday(database, redis, signer, keeper, public):
    """The file's number is ahead of what the database remembers: the list goes beyond it, and no file goes back."""
    signer()
    all_made(redis, database)
    first = keeper(folder=public)
    wait_for(lambda: published(public) and number_of(published(public)) == row(database).number, what="a file")
    assert first.stop() == 0
    ahead = int(time.time() * 1000) + 3600 * 1000
    database("UPDATE crl_shards SET numbered = %s WHERE url = %s", ahead, f"{BASE}/1.crl")
    before = row(database)
    make(redis, database)
    keeper(folder=public)
    wait_for(lambda: number_of(published(public)) > ahead, what="a number of the future")
    newest = number_of(published(public))
    # The restore: yesterday's row and yesterday's parts.
    database("ALTER TABLE crl_shards DISABLE TRIGGER crl_shards_guard")
    database("UPDATE crl_shards SET numbered = %s, number = %s, this_update = %s, next_update = %s, sha256 = sha256('x'), size = 1,"
             " published_at = now() WHERE id = %s", before.number, before.number, before.this_update, before.next_update, before.id)
    database("DELETE FROM crl_parts WHERE shard_id = %s", before.id)
    database("ALTER TABLE crl_shards ENABLE TRIGGER crl_shards_guard")
    wait_for(lambda: number_of(published(public)) > newest, what="a number beyond")
    assert row(database).number > newest


def test_no_path_leads_out_of_the_folder(database, redis, signer, keeper, public):
    """Whoever may write the table may not write files of his choice."""
    signer()
    all_made(redis, database)
    bad = ["../escape.crl", "a/../../escape.crl", "/etc/escape.crl", ".hidden", "a//b.crl", "a/./b.crl", "sub/"]
    for i, path in enumerate(bad):
        database("INSERT INTO crl_shards (url, path, numbered, number, this_update, next_update, published_at, entries, size, sha256)"
                 " VALUES (%s, %s, 1, 1, now(), now() + interval '1 day', now(), 0, 1, sha256('x'))", f"http://bad/{i}", path)
    try:
        one = keeper(folder=public)
        wait_for(lambda: all(published(public, n) for n in range(1, SHARDS + 1)), what="the good ones")
        wait_for(lambda: len({e["file"] for e in one.events("there is no place for a revocation list")}) == len(bad),
                 what="a complaint about each")
        assert not glob.glob(f"{public}/../escape*") and not os.path.exists("/etc/escape.crl")
        assert set(os.listdir(public)) <= {"issuer.crl", "issuer.cer", ".new", "a", "sub"}
    finally:
        database("ALTER TABLE crl_shards DISABLE TRIGGER crl_shards_kept")
        database("DELETE FROM crl_shards WHERE url LIKE 'http://bad/%%'")
        database("ALTER TABLE crl_shards ENABLE TRIGGER crl_shards_kept")
