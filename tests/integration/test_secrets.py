"""After everything else has run: no log has a secret in it, and nothing that should never happen was logged."""

import glob
import json
import os
import re

import pytest
from acme_client import Key, pick
from responders import until
from steps import fresh, issue


@pytest.fixture(scope="module")
def logs(stack, client, dns):
    """name -> text of every log, after one more flow whose secrets are known."""
    key = Key("ES256")
    issue(client, dns, [fresh("secret")], key.private)
    failing = client.authorizations(client.new_order([fresh("wrong")]))[0]
    challenge = pick(failing, "dns-01")
    dns("set-txt", host="_acme-challenge." + failing["identifier"]["value"], value="wrong")
    nonce = client.fresh_nonce()
    client.get(client.kid, nonce=nonce)
    client.get(client.kid, nonce=nonce)
    client.respond(challenge)
    client.key_change(key)
    client.secrets = {"a key authorization": client.key_authorization(challenge["token"]), "a nonce": nonce,
                      "a token": challenge["token"]}
    until(lambda: client.get(failing["url"]).json["status"] == "invalid", 30, 0.5)

    def read(path):
        with open(path, encoding="utf-8", errors="replace") as text:
            return text.read()
    return {os.path.basename(path): read(path) for path in glob.glob(os.path.join(stack.log_dir, "*.log"))}


def secret_files(stack):
    for folder, _, names in os.walk(os.path.join(stack.etc, "secrets")):
        yield from (os.path.join(folder, name) for name in names)
    yield os.path.join(stack.etc, "postgres.password")


def test_no_log_has_a_password(stack, logs):
    for path in secret_files(stack):
        with open(path, encoding="ascii") as text:
            secret = text.read().strip()
        assert len(secret) > 20
        for name, text in logs.items():
            assert secret not in text, f"{path} is in {name}"


def test_no_log_has_key_material(stack, logs):
    with open(os.path.join(stack.etc, "pki", "issuer.key"), encoding="ascii") as text:
        lines = [line for line in text.read().splitlines() if not line.startswith("-")]
    for name, text in logs.items():
        assert "PRIVATE KEY" not in text and not any(line in text for line in lines), name


def test_no_log_has_a_key_authorization_a_token_or_a_nonce(client, logs):
    for name, text in logs.items():
        for what, secret in client.secrets.items():
            if name != "dns.log":
                assert secret not in text, f"{what} is in {name}"


def test_every_line_of_a_program_is_one_json_event(logs):
    for name, text in logs.items():
        if not name.startswith("assay-"):
            continue
        for line in text.splitlines():
            if not re.match(r"=+\d+=|SUMMARY", line):  # a sanitizer's report is looked at by itself
                event = json.loads(line)
                assert event["level"] in ("debug", "info", "warning", "error"), line


def test_nothing_crashed(logs):
    """The supervisor restarts what dies; what was stopped by a test ended with 0."""
    assert not re.findall(r".*ended with (?:-\d+|[1-9]\d*).*", logs["supervisor.log"])
    assert not [line for line in logs["postgresql.log"].splitlines() if "deadlock" in line or "PANIC" in line]
