"""The checker itself: everything it must notice is done to the database once, in a transaction that is rolled back."""

import os
import time

import pytest

from checker import Checker
from client import Load
from targets import StackEnv

FIRST = "(select id from orders where id >= %(marker)s and status = 3 order by id limit 1)"
FIRST_CERTIFICATE = f"(select serial from orders where id = {FIRST})"
CORRUPTIONS = [
    ("orders_that_clients_know_exist", f"delete from orders where id = {FIRST}"),
    ("orders_end", f"update orders set status = 2, due_at = now(), serial = null where id = {FIRST}"),
    ("nothing_is_left_in_processing", f"update orders set status = 2, due_at = now(), serial = null where id = {FIRST}"),
    ("clients_and_database_agree", f"update orders set status = 4, serial = null, error = '{{}}' where id = {FIRST}"),
    ("downloads_are_recorded", f"delete from certificates where serial = {FIRST_CERTIFICATE}"),
    ("downloads_are_recorded",
     f"update certificates set der = set_byte(der, 60, get_byte(der, 60) # 1) where serial = {FIRST_CERTIFICATE}"),
    ("certificates_have_valid_orders",
     f"update orders set serial = set_byte(serial, 9, get_byte(serial, 9) # 1) where id = {FIRST}"),
    ("orders_have_one_certificate",
     "update certificates set order_id = (select max(order_id::text)::uuid from certificates where der is not null) "
     f"where serial = {FIRST_CERTIFICATE}"),
    ("certificates_say_what_was_ordered",
     f"update certificates set names = '{{other.test}}' where serial = {FIRST_CERTIFICATE}"),
    ("certificates_say_what_was_ordered",
     f"update certificates set spki_sha256 = sha256('other') where serial = {FIRST_CERTIFICATE}"),
    ("unused_serials_are_burnt",
     f"update certificates set tbs = der, der = null, issued_at = null where serial = {FIRST_CERTIFICATE}"),
    ("unused_serials_are_burnt", f"update serials set burnt_at = now() where serial = {FIRST_CERTIFICATE}"),
    ("unused_serials_are_burnt", f"delete from serials where serial = {FIRST_CERTIFICATE}"),
    ("audit_rows_are_complete",
     f"delete from audit_log where action = 'certificate.issue' and object = encode({FIRST_CERTIFICATE}, 'hex')"),
    ("audit_rows_are_complete", "insert into audit_log (action, object, detail) select action, object, detail from audit_log "
     f"where action = 'certificate.reserve' and object = encode({FIRST_CERTIFICATE}, 'hex')"),
    ("validations_left_evidence", "delete from validations where authz_id = "
     f"(select authz_ids[1] from orders where id = {FIRST})"),
    ("seals_fit", "update audit_log set detail = 'other' where (xid, id) = (select xid, id from audit_log order by xid, id limit 1)"),
    ("seals_fit", "delete from audit_seals where seal = 1"),
]


def wait_for_seals(checker, count):
    deadline = time.monotonic() + 20
    while checker.database.one("select count(*) as seals from audit_seals").seals < count:
        assert time.monotonic() < deadline, f"the keeper made no {count} seals"
        time.sleep(0.2)


@pytest.fixture(scope="module")
def settled():
    """A few orders without any accident."""
    path = os.environ.get("ASSAY_ENV")
    if not path:
        pytest.exit("no stack is running: use ./dev test integration", returncode=2)
    stack = StackEnv(path)
    # Two seals at least, also on a stack that is new: the deletion of the only one would leave nothing behind.
    for seals in (1, 2):
        checker = Checker(stack["DATABASE_URL"], stack["REDIS_SOCKET"])
        load = Load(stack, threads=4, orders=8, refused=0)
        load.start()
        load.join()
        checker.settle()
        wait_for_seals(checker, seals)
    assert not checker.check(load)
    return checker, load


@pytest.mark.parametrize("rule,corruption", CORRUPTIONS)
def test_notices(settled, rule, corruption):
    checker, load = settled
    connection = checker.database.connection
    connection.autocommit = False
    try:
        with connection.cursor() as cursor:
            # No trigger may stand in the way, as it would in the way of a program.
            cursor.execute("set local session_replication_role = replica")
            cursor.execute(corruption, {"marker": checker.marker})
            assert cursor.rowcount == 1
        assert rule in {violation.rule for violation in checker.check(load)}
    finally:
        connection.rollback()
        connection.autocommit = True


def test_notices_a_nonce_that_was_taken_twice(settled):
    checker, load = settled
    load.replays_accepted.append("an order that was made twice")
    assert [violation.rule for violation in checker.check(load)] == ["nonces_are_used_once"]
    load.replays_accepted.clear()
