"""The kill switch of issuance while signers work: nothing is signed behind its acknowledgement, and nothing is lost."""

import threading
import time

import psycopg2

from conftest import LEASE_SECS, assayctl, wait_for

PROCESSING, VALID = 2, 3


def issuance(ca, *words, check=True):
    return assayctl("-c", ca.conf, "issuance", *words, check=check)


def test_words_are_checked(ca, database):
    for words, said in (((), "say stop, start or status"), (("halt",), "say stop"), (("stop",), "--reason"),
                        (("stop", "--reason", ""), "--reason"), (("start",), "--reason")):
        done = issuance(ca, *words, check=False)
        assert done.returncode == 1 and said in done.stderr, words
    assert "goes on" in issuance(ca, "status").stdout


def test_no_certificate_is_made_behind_the_acknowledgement(ca, database, signer, enqueue):
    signer()
    signer()
    account = database.account()
    orders = [database.order([f"stop{i}.example.org"], account) for i in range(300)]
    feeder = threading.Thread(target=enqueue, args=orders)
    feeder.start()
    wait_for(lambda: sum(database.state(order).status == VALID for order in orders) >= 40, what="some certificates")
    begun = time.monotonic()
    assert "is stopped: no certificate is signed" in issuance(ca, "stop", "--reason", "a drill").stdout
    took = time.monotonic() - begun
    # By the database's clock, which the rows carry, and by count.
    acknowledged = database.one("SELECT clock_timestamp() AS at").at
    states = [database.state(order).status for order in orders]
    serials = database.one("SELECT count(*) AS n FROM serials").n
    feeder.join()
    enqueue(*orders)
    time.sleep(2 * LEASE_SECS)
    assert [database.state(order).status for order in orders] == states
    assert database.one("SELECT count(*) AS n FROM serials").n == serials
    assert database.one("SELECT count(*) AS n FROM certificates WHERE issued_at > %s OR reserved_at > %s", acknowledged,
                        acknowledged).n == 0
    assert 40 <= states.count(VALID) < 300 and set(states) == {VALID, PROCESSING}
    # Half of a lease is as long as a signature may be in coming; one that is not late takes milliseconds.
    assert took < LEASE_SECS
    status = issuance(ca, "status").stdout
    assert "a drill" in status and "assay-admin" in status
    assert "goes on" in issuance(ca, "start", "--reason", "drilled").stdout
    enqueue(*[order for order in orders if database.state(order).status == PROCESSING])
    wait_for(lambda: all(database.state(order).status == VALID for order in orders), what="all of them")
    # What had been claimed, and could not be reserved, has lost that one attempt; nobody else has.
    assert max(database.state(order).attempt for order in orders) <= 2
    assert [row.action for row in database("SELECT action FROM audit_log WHERE object = 'issuance' ORDER BY id")][-2:] \
        == ["issuance.stop", "issuance.start"]


def test_the_acknowledgement_waits_for_a_reservation_that_began_before(database):
    """Whoever looked before the stop was committed is waited for: first until its transaction ends, then for its lease."""
    order = database.order(["race.example.org"])
    database("SELECT issuance_claim(ARRAY[%s]::uuid[], 60)", order)
    issuer = database.one("SELECT sha256 FROM issuers LIMIT 1").sha256
    serial = b"\x40" + int(time.time()).to_bytes(4, "big") + order.bytes[3:]
    slow = psycopg2.connect("")
    with slow.cursor() as cursor:
        cursor.execute("SELECT assay.issuance_reserve(ARRAY[%s]::uuid[], ARRAY[1], ARRAY[%s]::bytea[], ARRAY[%s]::bytea[],"
                       " ARRAY(SELECT spki_sha256 FROM assay.orders WHERE id = %s), ARRAY[%s]::bytea[], ARRAY[now()],"
                       " ARRAY[now() + interval '1 day'])", (order, serial, b"tbs", order, issuer))
        assert cursor.rowcount == 1
    left = []

    def stop():
        admin = psycopg2.connect("")
        admin.autocommit = True
        with admin.cursor() as cursor:
            cursor.execute("SELECT assay.admin_issuance_stop('race')")
            cursor.execute("SELECT assay.admin_issuance_drain(1)")
            left.append(cursor.fetchone()[0])
        admin.close()

    stopper = threading.Thread(target=stop)
    stopper.start()
    wait_for(lambda: database("SELECT 1 FROM issuance_stop"), what="the stop")
    time.sleep(1.5)
    assert stopper.is_alive()
    slow.commit()
    slow.close()
    stopper.join()
    assert left == [1]
    # The signer has died; the serial is burnt by the next claim, and the order goes on.
    database("UPDATE orders SET held_until = now() WHERE id = %s", order)
    assert database.one("SELECT admin_issuance_drain(0) AS left").left == 0
    assert not database("SELECT 1 FROM issuance_claim(ARRAY[%s]::uuid[], 60)", order)
    database("SELECT admin_issuance_start('race')")
    assert len(database("SELECT 1 FROM issuance_claim(ARRAY[%s]::uuid[], 0)", order)) == 1
