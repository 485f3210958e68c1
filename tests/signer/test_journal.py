"""The journal outside the database: what is in it before a signature, what a full disk does, and what is done after a backup was
restored that is older than it."""

import os
import signal
import subprocess
import time

import journal
import pytest

from conftest import LEASE_SECS, SIGNER, wait_for
from test_crash import check

VALID = 3


def issued(database, enqueue, *names):
    order = database.order(list(names))
    enqueue(order)
    wait_for(lambda: database.state(order).status == VALID, what="a certificate")
    return order


def entry_of(folder, serial):
    found = [one for one in (journal.issue(record.payload) for record in journal.all_records(folder, journal.ISSUE))
             if one.serial == serial]
    assert len(found) == 1
    return found[0]


def test_the_journal_tells_all_that_the_database_does(folder, database, signer, enqueue):
    signer()
    order = issued(database, enqueue, "a.journal.example.org", "b.journal.example.org")
    state = database.state(order)
    row = database.certificates(order)[0]
    entry = entry_of(folder, bytes(state.serial))
    assert (entry.kind, entry.order, entry.account) == (0, order, state.account_id)
    assert entry.names.split(" ") == state.names
    assert entry.tbs in bytes(row.der) and entry.spki == bytes(row.spki_sha256)
    assert entry.issuer == bytes(database.one("SELECT sha256 FROM issuers WHERE id = %s", row.issuer).sha256)
    assert entry.not_before == int(row.not_before.timestamp() * 1e6) and entry.shard == row.crl_shard
    # Its batch is settled, and it was signed.
    settled = journal.all_records(folder, journal.SETTLED)
    assert settled and all(bytes(state.serial) not in record.payload for record in settled)


def test_what_is_signed_is_on_the_disk_before(folder, database, signer, enqueue):
    """strace: the record is written and synced before the process goes on to the database with the signature."""
    if subprocess.run(["strace", "-V"], capture_output=True, check=False).returncode != 0 or os.geteuid() != 0:
        pytest.skip("needs strace and root")
    trace = f"{folder}/trace"
    one = signer(prefix=("strace", "-f", "-qq", "-tt", "-y", "-e", "trace=write,fdatasync,sendto", "-s", "64", "-o", trace))
    order = issued(database, enqueue, "strace.example.org")
    # strace waits for it; a signal to strace itself would only be kept.
    with open(f"/proc/{one.process.pid}/task/{one.process.pid}/children", encoding="ascii") as text:
        os.kill(int(text.read().split()[0]), signal.SIGTERM)
    assert one.process.wait(timeout=20) == 0
    with open(trace, encoding="utf-8", errors="replace") as text:
        lines = text.read().splitlines()
    written = next(i for i, line in enumerate(lines) if ".journal" in line and "write(" in line and "\\245JR\\n\\20" in line)
    synced = next(i for i, line in enumerate(lines) if i > written and "fdatasync" in line and "= 0" in line)
    issue = next(i for i, line in enumerate(lines) if "issuance_issue" in line and "sendto" in line and i > written)
    assert written < synced < issue
    assert database.state(order).status == VALID


@pytest.mark.parametrize("step", ["journalled", "reserved"])
def test_killed_between_disk_and_database_a_serial_number_is_burnt(database, redis, signer, enqueue, step):
    order = database.order([f"{step}.journal.example.org"])
    redis("DEL", "q:sign")
    one = signer(fail=step)
    enqueue(order)
    assert one.process.wait(timeout=20) == -9
    signer()

    def again():
        enqueue(order)
        return database.state(order).status == VALID
    wait_for(again, seconds=10 * LEASE_SECS, what="the certificate")
    check(database, [order])
    assert len(database.certificates(order)) == 2


def test_a_torn_end_is_cut_off_at_the_next_start(folder, database, signer, enqueue):
    one = signer()
    issued(database, enqueue, "torn.example.org")
    assert one.stop() == 0
    path = journal.newest(folder)
    size = os.path.getsize(path)
    with open(path, "ab") as out:
        out.write(b"\xa5JR\n\x10\0\0\0\0\0\x04\0half a rec")
    two = signer()
    wait_for(lambda: two.events("the end of a journal file was torn, and is cut off"), what="the repair")
    assert os.path.getsize(path) == size
    assert not two.events("a journal file is damaged: a part cannot be read")


def test_damage_is_told_with_its_place_and_stops_nothing(folder, database, signer, enqueue):
    one = signer()
    for i in range(3):
        issued(database, enqueue, f"damage{i}.example.org")
    assert one.stop() == 0
    path = journal.newest(folder)
    broken = [record for record in journal.records(path) if record.type == journal.ISSUE][1]
    with open(path, "r+b") as file:
        file.seek(broken.offset + 100)
        byte = file.read(1)
        file.seek(broken.offset + 100)
        file.write(bytes([byte[0] ^ 1]))
    # As after a restore, the database does not know how far it had read.
    database("DELETE FROM journal_files")
    two = signer()
    event = wait_for(lambda: two.events("a journal file is damaged: a part cannot be read"), what="the damage")[0]
    assert (event["file"], event["offset"], event["next"]) == (path, broken.offset, broken.end)
    issued(database, enqueue, "behind-damage.example.org")
    with open(path, "r+b") as file:
        file.seek(broken.offset + 100)
        file.write(byte)


@pytest.fixture
def small_disk(ca, folder):
    """A file system of its own, of 256 KiB, for the journal."""
    path = f"{folder}/small"
    os.makedirs(path, exist_ok=True)
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "assay-test", path], check=False,
                                           capture_output=True).returncode != 0:
        pytest.skip("needs to mount a file system")
    with open(ca.conf, encoding="utf-8") as text:
        original = text.read()
    with open(ca.conf, "w", encoding="utf-8") as out:
        out.write(original.replace(f"folder = {folder}/journal", f"folder = {path}"))
    yield path
    with open(ca.conf, "w", encoding="utf-8") as out:
        out.write(original)
    subprocess.run(["umount", "-l", path], check=True)


def test_on_a_full_disk_nothing_is_signed_until_there_is_room(database, signer, enqueue, small_disk):
    one = signer()
    issued(database, enqueue, "room.example.org")
    with open(f"{small_disk}/filler", "wb", buffering=0) as filler:
        try:
            while True:
                filler.write(b"x" * 512)
        except OSError:
            pass
    before = database.one("SELECT count(*) FROM certificates WHERE der IS NOT NULL").count
    orders = [database.order([f"full{i}.example.org"]) for i in range(30)]
    enqueue(*orders)
    wait_for(lambda: one.events("no certificates are signed: the journal is not usable"), what="the refusal")
    for _ in range(5):
        time.sleep(0.5)
        enqueue(*orders)
    # What still found room in the last page was signed, and nothing after the first refusal.
    count = database.one("SELECT count(*) FROM certificates WHERE der IS NOT NULL").count - before
    assert count < 30
    known = {bytes(row.serial) for row in database("SELECT serial FROM certificates")}
    os.remove(f"{small_disk}/filler")

    def again():
        enqueue(*[order for order in orders if database.state(order).status == 2])
        return all(database.state(order).status == VALID for order in orders)
    wait_for(again, seconds=20 * LEASE_SECS, what="all orders to be signed")
    assert one.events("the journal can be written again")
    # No claim was lost on the disk: an order that is claimed eight times is given up.
    assert max(database.state(order).attempt for order in orders) <= 3
    written = {journal.issue(record.payload).serial for path in sorted(os.listdir(f"{small_disk}/assay-signer"))
               for record in journal.records(f"{small_disk}/assay-signer/{path}") if record.type == journal.ISSUE}
    for order in orders:
        assert bytes(database.state(order).serial) in written
    assert known


def test_without_its_folder_the_signer_does_not_start(ca, folder, database, redis):
    with open(ca.conf, encoding="utf-8") as text:
        original = text.read()
    conf = f"{ca.dir}/nofolder.conf"
    with open(conf, "w", encoding="utf-8") as out:
        out.write(original.replace(f"folder = {folder}/journal", "folder = /nonexistent/journal"))
    done = subprocess.run([SIGNER, "-c", conf], capture_output=True, text=True, timeout=30, check=False)
    os.remove(conf)
    assert done.returncode == 1 and "/nonexistent/journal/assay-signer: No such file" in done.stderr
