"""The restore drill: a backup is taken, certificates are issued and revoked after it, and the backup is restored under the
running programs. Nothing becomes unrevoked, no serial number is used again, and what the backup does not know is told."""

import glob
import json
import os
import shutil
import subprocess
import time

import journal
import psycopg2
import pytest

from conftest import BUILD, SOURCE, assayctl, wait_for

VALID = 3
KEEPER = f"{BUILD}/workers/keeper/assay-keeper"
DATABASE = os.environ["PGDATABASE"]
BIN = sorted(glob.glob("/usr/lib/postgresql/*/bin"))[-1]


@pytest.fixture(scope="module", autouse=True)
def aftermath(ca, database, folder):
    """Other tests find the database that they know, and no journal that tells of these."""
    backup = dump(folder)
    yield
    shutil.rmtree(f"{folder}/journal")
    os.makedirs(f"{folder}/journal")
    restore(ca, database, backup)


class Keeper:
    def __init__(self, ca, folder):
        self.log_path = f"{folder}/keeper-{time.monotonic_ns()}.log"
        env = {name: value for name, value in os.environ.items() if name not in ("PGUSER", "PGHOST", "PGDATABASE")}
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([KEEPER, "-c", ca.conf], stderr=log, stdin=subprocess.DEVNULL, env=env)
        wait_for(lambda: self.events("journal compared with the database") or self.process.poll() is not None, what="a keeper")
        assert self.process.poll() is None, self.log()

    def log(self):
        with open(self.log_path, encoding="utf-8") as text:
            return text.read()

    def events(self, message):
        return [event for event in map(json.loads, self.log().splitlines()) if event["message"] == message]

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(timeout=20)

    def kill(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def keeper(ca, database, redis, folder):
    running = []

    def start():
        running.append(Keeper(ca, folder))
        return running[-1]

    yield start
    for one in running:
        if one.process.poll() is None:
            assert one.stop() == 0, one.log()
        assert "Sanitizer" not in one.log(), one.log()


def issued(database, enqueue, *names):
    order = database.order(list(names))
    enqueue(order)
    wait_for(lambda: database.state(order).status == VALID, what="a certificate")
    return bytes(database.state(order).serial)


def revocation_of(database, serial):
    row = database.one("SELECT revoked_at, reason FROM certificates WHERE serial = %s", serial)
    return row.revoked_at, row.reason


def journalled(database, serial):
    return wait_for(lambda: database.one("SELECT revocation_journalled(%s) AS so", serial).so, what="the journal")


def revoke(ca, serial, reason="superseded"):
    assayctl("-c", ca.conf, "revoke", "--serial", serial.hex(), "--reason", reason, "--yes")


def dump(folder):
    path = f"{folder}/backup-{time.monotonic_ns()}.dump"
    subprocess.run([f"{BIN}/pg_dump", "-Fc", "-f", path, DATABASE], check=True)
    return path


def restore(ca, database, path):
    """As docs/operations.md tells, but the programs are not even stopped."""
    database.connection.close()
    admin = psycopg2.connect(dbname="postgres")
    admin.autocommit = True
    with admin.cursor() as cursor:
        cursor.execute(f'DROP DATABASE "{DATABASE}" WITH (FORCE)')
        cursor.execute(f'CREATE DATABASE "{DATABASE}"')
    admin.close()
    subprocess.run([f"{BIN}/pg_restore", "-d", DATABASE, path], check=True)
    assayctl("-c", ca.conf, "migrate", "--sql", f"{SOURCE}/sql")
    database.connection = psycopg2.connect("")
    database.connection.autocommit = True
    database("SET search_path = assay, pg_catalog")


def known(database, serial):
    return database.one("SELECT count(*) FROM certificates WHERE serial = %s", serial).count == 1


def doctor(ca, *words):
    return assayctl("-c", ca.conf, "doctor", "--journal", *words, check=False)


def test_a_restored_backup_unrevokes_nothing_and_forgets_nothing(ca, folder, database, signer, keeper, enqueue):
    one, two = signer(), keeper()
    old, good, gone = (issued(database, enqueue, f"{name}.before.example.org") for name in ("old", "good", "gone"))
    revoke(ca, gone)
    journalled(database, gone)
    backup = dump(folder)

    new, lost = (issued(database, enqueue, f"{name}.behind.example.org", f"www.{name}.behind.example.org")
                 for name in ("new", "lost"))
    revoke(ca, old, "keyCompromise")
    revoke(ca, lost)
    database("SELECT admin_block_key(sha256('the drill''s key'), 'drill')")
    before = {serial: revocation_of(database, serial) for serial in (old, lost, gone)}
    for serial in before:
        journalled(database, serial)
    wait_for(lambda: database.one("SELECT count(*) FROM blocked_keys WHERE NOT journalled").count == 0, what="the key")
    serials = {bytes(row.serial) for row in database("SELECT serial FROM serials")}
    account = database.one("SELECT account_id, order_id, names, not_after, crl_shard FROM certificates WHERE serial = %s", new)

    restore(ca, database, backup)
    wait_for(lambda: known(database, new) and known(database, lost), what="the certificates to be known again")
    wait_for(lambda: all(revocation_of(database, serial) == then for serial, then in before.items()),
             what=lambda: f"the revocations to be made again; the keeper said: {two.log()}")
    assert revocation_of(database, good) == (None, None) and revocation_of(database, new) == (None, None)
    assert database.one("SELECT account_id, order_id, names, not_after, crl_shard FROM certificates WHERE serial = %s",
                        new) == account
    wait_for(lambda: database.one("SELECT count(*) FROM blocked_keys WHERE spki_sha256 = sha256('the drill''s key')").count == 1,
             what="the key to be blocked again")
    assert {bytes(row.serial) for row in database("SELECT serial FROM serials")} == serials
    # Told once, by name, in the log; and to the operator until he has seen it.
    told = wait_for(lambda: one.events("the database had forgotten a certificate: restored from the journal"), what="the log")
    assert {event["serial"] for event in told} == {new.hex(), lost.hex()}
    assert any("new.behind.example.org www.new.behind.example.org" in event["names"] for event in told)
    done = doctor(ca)
    assert done.returncode == 3, done.stdout
    assert new.hex() in done.stdout and "www.new.behind.example.org" in done.stdout and lost.hex() in done.stdout
    assert doctor(ca, "--seen").returncode == 3
    assert doctor(ca).returncode == 0, doctor(ca).stdout

    # Work goes on, and an unknown certificate is one like others.
    issued(database, enqueue, "on.behind.example.org")
    revoke(ca, new, "keyCompromise")
    assert revocation_of(database, new)[1] == 1
    assert two.process.poll() is None and one.process.poll() is None
    # Once more: what was restored and done since is in the journal, too.
    journalled(database, new)
    restore(ca, database, backup)
    wait_for(lambda: known(database, new) and revocation_of(database, new)[1] == 1, what="the second restore")
    assert doctor(ca, "--seen").returncode == 3 and doctor(ca).returncode == 0


def test_a_backup_from_before_a_partition_takes_its_certificates(ca, folder, database, signer, enqueue):
    """The partitions of a backup end some time after it."""
    one = signer()
    issued(database, enqueue, "some.partition.example.org")
    new = issued(database, enqueue, "partition.example.org")
    assert one.stop() == 0
    # As an old backup has it: no partition for these certificates, and no knowledge of them.
    for row in database("SELECT child FROM partition_ranges WHERE parent IN ('certificates', 'ocsp_responses')"):
        database(f"DROP TABLE {row.child}")
    database("DELETE FROM partition_ranges WHERE parent IN ('certificates', 'ocsp_responses')")
    database("ALTER TABLE serials DISABLE TRIGGER ALL")
    database("DELETE FROM serials")
    database("ALTER TABLE serials ENABLE TRIGGER ALL")
    database("ALTER TABLE forgotten_certificates DISABLE TRIGGER ALL")
    database("DELETE FROM forgotten_certificates")
    database("ALTER TABLE forgotten_certificates ENABLE TRIGGER ALL")
    database("DELETE FROM journal_files")
    signer()
    wait_for(lambda: known(database, new), what="the certificate")


def test_the_doctor_looks_by_hand_and_changes_nothing_unless_told(ca, folder, database, signer, keeper, enqueue):
    """The journal of a machine that is gone: its files are all there is."""
    one, two = signer(), keeper()
    backup = dump(folder)
    new, lost = issued(database, enqueue, "new.hand.example.org"), issued(database, enqueue, "lost.hand.example.org")
    revoke(ca, lost, "keyCompromise")
    journalled(database, lost)
    then = revocation_of(database, lost)
    assert one.stop() == 0 and two.stop() == 0
    away = f"{folder}/away"
    shutil.move(f"{folder}/journal", away)
    os.makedirs(f"{folder}/journal")
    restore(ca, database, backup)
    signer(), keeper()
    time.sleep(1)
    assert not known(database, new)
    files = [word for path in sorted(glob.glob(f"{away}/*/*.journal")) for word in ("--file", path)]
    done = doctor(ca, *files)
    assert done.returncode == 2 and new.hex() in done.stdout and lost.hex() in done.stdout
    assert not known(database, new)
    # The keeper's files first: revocations wait for their certificates.
    done = doctor(ca, *files, "--apply")
    assert done.returncode == 3, done.stdout
    assert known(database, new) and revocation_of(database, lost) == then
    assert "WRONG" not in doctor(ca, *files).stdout
    assert doctor(ca, "--seen").returncode == 3 and doctor(ca).returncode == 0
    shutil.rmtree(f"{folder}/journal")
    shutil.move(away, f"{folder}/journal")


@pytest.mark.parametrize("step", ["journalled", "reserved", "recorded", "signed", "issued"])
def test_a_signer_killed_at_any_step_forgets_nothing_over_a_restore(ca, folder, database, signer, redis, enqueue, step):
    backup = dump(folder)
    redis("DEL", "q:sign")
    one = signer(fail=step)
    order = database.order([f"{step}.kill.example.org"])
    enqueue(order)
    assert one.process.wait(timeout=20) == -9
    serials = [record.payload[33:51] for record in journal.all_records(folder, journal.ISSUE)
               if journal.issue(record.payload).order == order]
    assert len(serials) == 1
    restore(ca, database, backup)
    signer()
    wait_for(lambda: known(database, serials[0]), what="the serial number")
    row = database.one("SELECT c.reason, s.burnt_at FROM certificates c JOIN serials s USING (serial) WHERE serial = %s", serials[0])
    if step in ("journalled", "reserved"):
        # Killed before it went on to sign: nobody has a certificate with this number.
        assert row.reason == 4 and row.burnt_at is not None
    else:
        assert row.reason is None and row.burnt_at is None


def test_a_keeper_killed_again_and_again_loses_no_revocation(ca, folder, database, signer, keeper, enqueue):
    signer()
    serials = [issued(database, enqueue, f"k{i}.keeper.example.org") for i in range(6)]
    for serial in serials:
        one = keeper()
        revoke(ca, serial)
        one.kill()
    keeper()
    for serial in serials:
        journalled(database, serial)
    written = {journal.revocation(record.payload)[0] for record in journal.all_records(folder, journal.REVOKE, "assay-keeper")}
    assert set(serials) <= written


def test_a_revocation_is_in_the_journal_at_once(ca, folder, database, signer, keeper, enqueue):
    """The keeper is woken by the transaction, not by its sweep."""
    signer(), keeper()
    took = []
    for i in range(5):
        serial = issued(database, enqueue, f"quick{i}.example.org")
        database("SELECT certificate_revoke(%s, 4, 'quick')", serial)
        began = time.monotonic()
        journalled(database, serial)
        took.append(time.monotonic() - began)
    assert sorted(took)[2] < 1, took


def test_the_doctor_sees_what_is_wrong(ca, folder, database, redis, signer, keeper, enqueue):
    signer(), keeper()
    done = assayctl("-c", ca.conf, "doctor", check=False)
    # No handlers run here: that is wrong, and nothing else is.
    wrong = [line for line in done.stdout.splitlines() if line.startswith("WRONG")]
    assert done.returncode == 2
    assert all(line.split()[1] in ("programs:", "schema:") for line in wrong), done.stdout
    for word in ("clock:", "partitions:", "audit log:", "issuer main: registered", "queue:", "journal:"):
        assert word in done.stdout
    assert any("assay-order: 0" in line for line in wrong)
    redis("XADD", "q:dead", "*", "s", "junk")
    assert "LOOK     queue: 1 dead letters" in assayctl("-c", ca.conf, "doctor", check=False).stdout
    redis("DEL", "q:dead")


@pytest.mark.parametrize("words,message", [
    (["--apply"], "go with --journal"),
    (["--journal", "--file", "/nonexistent"], "/nonexistent: No such file"),
])
def test_the_doctor_refuses_in_one_line(ca, database, words, message):
    done = assayctl("-c", ca.conf, "doctor", *words, check=False)
    assert done.returncode == 1 and message in done.stderr and done.stderr.count("\n") == 1
