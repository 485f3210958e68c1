"""The race of a signer with a key that is blocked meanwhile: no certificate with it stays unrevoked."""

import hashlib
import os

import psycopg2
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec


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


def test_a_certificate_that_is_recorded_while_its_key_is_blocked_is_revoked(database, signer, other):
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
    assert record(cursor, database, orders[0], spki, serials[0]), "the signer looked before the key was blocked"
    database("SELECT keys_block(ARRAY[%s]::bytea[], 'a test', true)", spki)
    for _ in range(3):
        assert sweep() == 0 and blocked(), "nothing to be seen, but somebody may be at it"
    connection.commit()
    assert sweep() == 1
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
