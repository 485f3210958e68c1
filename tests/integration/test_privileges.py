"""Least privilege on the running stack: every program's password opens what that program needs, and nothing else.

tests/sql tries everything there is against every role; here are the acts that would matter, with the real passwords.
"""

import os
import re
import stat

import psycopg2
import pytest
import redis

HANDLERS = ("assay-directory", "assay-account", "assay-order", "assay-ocsp")
WORKERS = ("assay-validator", "assay-signer", "assay-ocsp-signer", "assay-keeper")
ROLES = (*HANDLERS, *WORKERS, "assay-admin")


def secret(stack, kind, name):
    with open(os.path.join(stack.etc, "secrets", kind, name), encoding="ascii") as text:
        return text.readline().rstrip("\n")


@pytest.fixture(scope="module")
def server(stack):
    return re.search(r"host=(\S+)", stack["DATABASE_URL"]).group(1)


def connect(server, user, password):
    connection = psycopg2.connect(host=server, dbname="assay", user=user, password=password)
    connection.autocommit = True
    return connection


FORBIDDEN_ACTS = [
    "select * from assay.accounts", "select csr from assay.orders", "select secret from assay.authorizations",
    "update assay.authorizations set status = 1, challenge = 2, validated_at = now()", "update assay.orders set status = 1",
    "insert into assay.reusable_authorizations values (gen_random_uuid(), 'a.test', gen_random_uuid(), now())",
    "insert into assay.serials values ('\\x40'::bytea, gen_random_uuid(), null)", "delete from assay.blocked_keys",
    "delete from assay.audit_log", "truncate assay.audit_log", "drop table assay.validations", "create table assay.x ()",
    "create temporary table orders ()", "set role \"assay-owner\"", "set session authorization postgres",
    "set session_replication_role = replica", "alter table assay.orders disable trigger all",
    "copy assay.accounts to program 'true'", "select pg_read_file('/etc/passwd')", "select lo_create(0)",
]
# What only one program may do, as it would be called by somebody who took over another one.
POWERS = {
    "assay-validator": "select assay.validation_finish(array[gen_random_uuid()], array[1], array[0], array[null::text], "
                       "array[null::timestamptz], array[now()], array[null::text], now() + interval '1 day')",
    "assay-signer": "select assay.issuance_issue(array[gen_random_uuid()], array[1], array['\\x40'::bytea], array[''::bytea])",
    "assay-order": "select assay.revoke(null, null, '\\x40'::bytea, ''::bytea, 1)",
    "assay-account": "select assay.account_deactivate(gen_random_uuid(), ''::bytea)",
    "assay-ocsp": "select assay.ocsp_get(1, '\\x40'::bytea, 0)",
    "assay-ocsp-signer": "select assay.ocsp_store(array['\\x40'::bytea], array[now()], array[now()], array[now()], array[now()], "
                         "array[1], array[''::bytea])",
    "assay-keeper": "select assay.audit_seal(1)",
    "assay-admin": "select assay.admin_block_key(sha256('x'), 'test')",
}


@pytest.mark.parametrize("role", ROLES)
def test_the_database_refuses_what_is_not_its_business(stack, server, role):
    with pytest.raises(psycopg2.OperationalError):
        connect(server, role, "wrong")
    connection = connect(server, role, secret(stack, "database", role))
    forbidden = FORBIDDEN_ACTS + [act for owner, act in POWERS.items() if owner != role]
    for act in forbidden:
        with connection.cursor() as cursor, pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute(act)
    connection.close()


def test_each_power_has_its_owner(stack, server):
    """So that the refusals are not only so because the calls are wrong."""
    for role in ("assay-validator", "assay-signer", "assay-order", "assay-account", "assay-ocsp", "assay-ocsp-signer"):
        connection = connect(server, role, secret(stack, "database", role))
        with connection.cursor() as cursor:
            cursor.execute(POWERS[role])
        connection.close()


def test_nobody_logs_in_as_the_owner_or_without_a_password(server):
    for user in ("assay-owner", "assay-order", "postgres", "nobody"):
        with pytest.raises(psycopg2.OperationalError):
            psycopg2.connect(host=server, dbname="assay", user=user, password="", passfile="/nonexistent")


EVERYBODY = [("FLUSHALL",), ("FLUSHDB",), ("KEYS", "*"), ("SCAN", "0"), ("CONFIG", "GET", "*"), ("ACL", "LIST"), ("MONITOR",),
             ("EVAL", "return 1", "0"), ("SCRIPT", "LOAD", "return 1"), ("CLIENT", "LIST"), ("SAVE",),
             ("REPLICAOF", "NO", "ONE"), ("MODULE", "LIST"), ("RENAME", "q:sign", "q:x"), ("DEL", "q:sign"),
             ("SET", "other", "1"), ("XTRIM", "q:sign", "MAXLEN", "0"), ("XGROUP", "DESTROY", "q:sign", "workers")]
READ_VALIDATIONS = ("XREADGROUP", "GROUP", "workers", "x", "COUNT", "1", "STREAMS", "q:val", ">")
READ_ISSUANCE = ("XREADGROUP", "GROUP", "workers", "x", "COUNT", "1", "STREAMS", "q:sign", ">")
READ_STATUS = ("XREADGROUP", "GROUP", "workers", "x", "COUNT", "1", "STREAMS", "q:ocsp", ">")
QUEUE_ISSUANCE = ("XADD", "q:sign", "*", "x", "x")
NONCE_KEY = ("GET", "nonce:x")
SAY_DONE = ("PUBLISH", "done", "x")
FORBIDDEN_COMMANDS = {
    "assay-directory": [READ_VALIDATIONS, READ_ISSUANCE, QUEUE_ISSUANCE, SAY_DONE],
    "assay-account": [READ_VALIDATIONS, READ_ISSUANCE, QUEUE_ISSUANCE, SAY_DONE],
    "assay-order": [READ_VALIDATIONS, READ_ISSUANCE, SAY_DONE],
    "assay-validator": [READ_ISSUANCE, NONCE_KEY],
    "assay-signer": [READ_VALIDATIONS, QUEUE_ISSUANCE, NONCE_KEY],
    "assay-ocsp": [READ_VALIDATIONS, READ_ISSUANCE, QUEUE_ISSUANCE, NONCE_KEY, SAY_DONE, READ_STATUS],
    "assay-ocsp-signer": [READ_VALIDATIONS, READ_ISSUANCE, QUEUE_ISSUANCE, NONCE_KEY, SAY_DONE],
    # It says so, too: of revocations that are in the journal.
    "assay-keeper": [READ_VALIDATIONS, READ_ISSUANCE, READ_STATUS, NONCE_KEY],
    "assay-admin": [READ_VALIDATIONS, READ_ISSUANCE, QUEUE_ISSUANCE, NONCE_KEY, SAY_DONE],
}


@pytest.mark.parametrize("user", ROLES)
def test_redis_refuses_what_is_not_its_business(stack, user):
    with pytest.raises(redis.exceptions.ResponseError, match="WRONGPASS"):
        redis.Redis(unix_socket_path=stack["REDIS_SOCKET"], username=user, password="wrong").ping()
    connection = redis.Redis(unix_socket_path=stack["REDIS_SOCKET"], username=user, password=secret(stack, "redis", user))
    assert connection.ping()
    for command in EVERYBODY + FORBIDDEN_COMMANDS[user]:
        with pytest.raises(redis.exceptions.NoPermissionError):
            connection.execute_command(*command)
    connection.close()


def test_the_users_file_of_redis_switches_the_default_user_off(stack):
    with open(os.path.join(stack.etc, "redis.acl"), encoding="ascii") as text:
        users = {line.split()[1]: line.split()[2:] for line in text if line.startswith("user ")}
    assert users.pop("default")[0] == "off" and set(users) == set(ROLES)
    assert all("nopass" not in rules and "on" in rules for rules in users.values())


def test_secrets_are_for_their_owner_alone(stack):
    found = [os.path.join(stack.etc, "pki", "issuer.key"), os.path.join(stack.etc, "redis.acl")]
    for kind in ("database", "redis"):
        folder = os.path.join(stack.etc, "secrets", kind)
        assert sorted(os.listdir(folder)) == sorted(ROLES)
        found += [os.path.join(folder, name) for name in ROLES]
    for path in found:
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o400, path
    assert len({secret(stack, kind, name) for kind in ("database", "redis") for name in ROLES}) == 2 * len(ROLES)


def test_no_password_is_in_an_environment_or_a_command_line(stack):
    passwords = [secret(stack, kind, name).encode() for kind in ("database", "redis") for name in ROLES]
    for pid in stack["PIDS"].split():
        for what in ("environ", "cmdline"):
            with open(f"/proc/{pid}/{what}", "rb") as text:
                seen = text.read()
            assert not any(password in seen for password in passwords), (pid, what)
