"""assayctl on a live CA: what init leaves behind, check-config, migrate, status and revoke."""

import os
import stat
import subprocess

import psycopg2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from conftest import SOURCE, assayctl, wait_for

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


def test_help_and_version():
    assert assayctl("--version").stdout.startswith("assay ")
    for command in ("init", "check-config", "doctor", "migrate", "status", "revoke"):
        assert assayctl(command, "--help").stdout.startswith("usage: assayctl")
        assert command in assayctl("--help").stdout
