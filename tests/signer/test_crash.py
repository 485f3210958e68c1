"""The signer killed at each step: no order is lost, none has two certificates, no signature is unrecorded."""

import pytest

from conftest import LEASE_SECS, wait_for

VALID, INVALID = 3, 4

# In the order in which a batch passes them, and how many serials are burnt when the signer dies there.
STEPS = [("claimed", 0), ("decided", 0), ("recorded", 1), ("signed", 1), ("issued", 0), ("announced", 0)]


def check(database, orders):
    """The invariants, whatever happened."""
    for order in orders:
        rows = database.certificates(order)
        issued = [row for row in rows if row.der]
        assert len(issued) == 1
        assert bytes(issued[0].serial) == bytes(database.state(order).serial)
        for row in rows:
            serial = database.one("SELECT burnt_at FROM serials WHERE serial = %s", row.serial)
            # What was reserved and not issued is burnt, and stays known with its exact TBS.
            assert (serial.burnt_at is None) == bool(row.der)
            assert (row.tbs is None) == bool(row.der)
    assert database.one("SELECT count(*) = count(DISTINCT serial) AS unique FROM certificates").unique


@pytest.mark.parametrize("step,burnt", STEPS)
def test_killed_at(database, redis, signer, enqueue, step, burnt):
    orders = [database.order([f"{step}{i}.example.org"]) for i in range(3)]
    redis("DEL", "q:sign")
    one = signer(fail=step)
    enqueue(*orders)
    assert one.process.wait(timeout=20) == -9
    signer()
    # The keeper's sweep would do this; the stream's own redelivery does it as well, later.
    def again():
        enqueue(*[order for order in orders if database.state(order).status == 2])
        return all(database.state(order).status in (VALID, INVALID) for order in orders)
    wait_for(again, seconds=10 * LEASE_SECS, what="all orders to be final")
    assert all(database.state(order).status == VALID for order in orders)
    check(database, orders)
    lost = sum(len(database.certificates(order)) - 1 for order in orders)
    assert lost >= burnt and (burnt > 0 or lost == 0)


def test_killed_again_and_again_an_order_ends(database, signer, enqueue):
    """Eight claims, then the order is invalid: nothing loops for ever."""
    order = database.order(["poison.example.org"])
    # A redelivered job may kill a signer that could not claim, the lease being another's still: that does not count.
    while database.state(order).attempt < 8:
        one = signer(fail="claimed", ready=False)
        database("UPDATE orders SET held_until = NULL WHERE id = %s", order)
        enqueue(order)
        assert one.process.wait(timeout=20) == -9
    signer()
    database("UPDATE orders SET held_until = NULL WHERE id = %s", order)
    enqueue(order)
    wait_for(lambda: database.state(order).status == INVALID, what="the order to be given up")
    assert "serverInternal" in database.state(order).error
    assert database.certificates(order) == []
