"""Operating it: programs stop and start under load, configurations change, data services hang, operators look and act."""

import hashlib
import os
import re
import signal
import subprocess
import threading
import time
from contextlib import contextmanager

import pytest
from acme_client import Key, make_csr
from cryptography.hazmat.primitives import serialization
from responders import until
from steps import as_operator, assayctl, fresh, issue, ready_order, twin, uuid_of

HANDLERS = ("ASSAY_DIRECTORY", "ASSAY_ACCOUNT", "ASSAY_ORDER")
PROGRAMS = [f"{name}_{i}" for name in (*HANDLERS, "ASSAY_VALIDATOR", "ASSAY_SIGNER") for i in (1, 2)] + ["ASSAY_KEEPER_1"]


def pid_of(stack, program):
    return int(stack["PID_" + program])


def restart(stack, *programs):
    """SIGTERM, as a service manager would; back when the supervisor has started them all again."""
    before = {program: pid_of(stack, program) for program in programs}
    for pid in before.values():
        os.kill(pid, signal.SIGTERM)
    for program, pid in before.items():
        assert until(lambda: pid_of(stack, program) != pid, 20), f"{program} ({pid}) did not end after SIGTERM"


class Load:
    """Clients that order certificates without a pause; every answer that is not right is kept."""

    def __init__(self, new_client, dns, clients=3, whole=True):
        self.new_client, self.dns, self.whole = new_client, dns, whole
        self.stop, self.done, self.failures = threading.Event(), 0, []
        self.threads = [threading.Thread(target=self.run) for _ in range(clients)]

    def run(self):
        client = self.new_client()
        while not self.stop.is_set():
            try:
                name = fresh("load")
                if self.whole:
                    issue(client, self.dns, [name])
                else:
                    answer = client.new_order([name])
                    assert answer.status == 201, answer
                    assert client.get(client.directory_url).status == 200
                    assert client.get(client.kid).status == 200
                self.done += 1
            except Exception as failure:  # whatever it was: the test prints it
                self.failures.append(repr(failure))
        client.close()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join(120)


# --- restarts --------------------------------------------------------------------------------------------------------


def test_a_stop_of_every_program_under_load_loses_nothing(stack, new_client, dns):
    with Load(new_client, dns) as load:
        time.sleep(0.5)
        for program in PROGRAMS:
            restart(stack, program)
        time.sleep(0.5)
    assert not load.failures and load.done > 10, load.failures


def test_ten_rolling_restarts_of_the_handlers_fail_no_request(stack, new_client, dns):
    with Load(new_client, dns, whole=False) as load:
        for _ in range(10):
            restart(stack, *(f"{name}_1" for name in HANDLERS))
            restart(stack, *(f"{name}_2" for name in HANDLERS))
    assert not load.failures and load.done > 30, load.failures


def test_both_workers_of_a_kind_may_be_away_for_a_while(stack, client, dns):
    """What is ordered meanwhile waits in its stream."""
    name = fresh("away")
    order = ready_order(client, dns, [name])
    restart(stack, "ASSAY_SIGNER_1", "ASSAY_SIGNER_2")
    assert client.finalize(order, make_csr([name])).status == 200
    assert client.wait(order.location, "valid").json["status"] == "valid"


# --- configuration ---------------------------------------------------------------------------------------------------


@contextmanager
def changed(stack, change, programs=PROGRAMS):
    """assay.conf with a change, taken over by SIGHUP; put back the same way."""
    path = stack["ASSAY_CONF"]
    with open(path, encoding="utf-8") as text:
        before = text.read()

    def put(text):
        with open(path, "w", encoding="utf-8") as out:  # in place, so that owner and mode stay
            out.write(text)
        for program in programs:
            os.kill(pid_of(stack, program), signal.SIGHUP)

    after = change(before)
    assert after != before
    put(after)
    try:
        yield
    finally:
        put(before)


def directories(client, times=20):
    """meta.website as many connections see it: both processes answer."""
    return {client.request("GET", client.directory_url).json["meta"].get("website") for _ in range(times)}


def test_sighup_takes_over_a_good_configuration(stack, client, dns):
    def change(text):
        text = re.sub(r"^\[server\]$", "[server]\nwebsite = https://www.example.org/changed", text, flags=re.M)
        return re.sub(r"^\[profile default\]$", "[profile default]\nvalidity = 7d", text, flags=re.M)

    with changed(stack, change):
        assert until(lambda: directories(client) == {"https://www.example.org/changed"})
        _, (leaf, *_) = issue(client, dns, [fresh("week")])
        assert (leaf.not_valid_after - leaf.not_valid_before).total_seconds() == 7 * 86400 - 1
    assert until(lambda: directories(client) == {None})
    _, (leaf, *_) = issue(client, dns, [fresh("quarter")])
    assert (leaf.not_valid_after - leaf.not_valid_before).total_seconds() == 90 * 86400 - 1


def log_of(stack, program):
    with open(os.path.join(stack.log_dir, program.lower().replace("_", "-") + ".log"), encoding="utf-8") as text:
        return text.read()


def test_sighup_with_a_broken_configuration_changes_nothing_and_says_why(stack, client, dns):
    pids = {program: pid_of(stack, program) for program in PROGRAMS}
    seen = {program: len(log_of(stack, program)) for program in PROGRAMS}
    broken = "[server]\nwebsite = https://www.example.org/broken\nwebsit = x"
    with changed(stack, lambda text: text.replace("[server]", broken)):
        for program in PROGRAMS:
            assert until(lambda: "websit" in log_of(stack, program)[seen[program]:]), program
            line = next(line for line in log_of(stack, program)[seen[program]:].splitlines() if "websit" in line)
            assert "assay.conf:" in line and "website" in line and "the old one stays" in line
        assert directories(client) == {None}
        issue(client, dns, [fresh("broken")])
    assert {program: pid_of(stack, program) for program in PROGRAMS} == pids


# --- data services that hang -----------------------------------------------------------------------------------------


def family(pid):
    """A process and all that it has started."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as text:
        return [pid] + [p for child in text.read().split() for p in family(int(child))]


@contextmanager
def hanging(stack, service):
    """SIGSTOP: neither answers nor closes a connection, as a machine that froze."""
    pids = family(pid_of(stack, service))
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def monitor(client, path):
    return client.request("GET", client.directory_url.removesuffix("/directory") + path)


@pytest.mark.parametrize("service, member", [("REDIS", "redis"), ("POSTGRESQL", "database")])
def test_while_a_service_hangs_readiness_says_so_and_requests_end(stack, new_client, dns, service, member):
    client = new_client()
    assert (monitor(client, "/ready").status, monitor(client, "/health").status) == (200, 200)
    with hanging(stack, service):
        started = time.monotonic()
        answers = [twin(client).new_order([fresh("hang")], nonce=client.fresh_nonce())]
        assert time.monotonic() - started < 35
        assert answers[0].status in (503, 504) and answers[0].problem == "serverInternal", answers
        assert int(answers[0].retry_after) > 0
        assert until(lambda: monitor(client, "/ready").status == 503, 20), "readiness does not notice"
        assert monitor(client, "/ready").json[member] is False
        assert monitor(client, "/health").status == 200
        assert client.request("GET", client.directory_url).status == 200
        assert client.request("HEAD", client.directory["newNonce"]).nonce
    assert until(lambda: monitor(client, "/ready").status == 200, 30)
    assert until(lambda: twin(client).new_order([fresh("back")]).status == 201, 30, 0.2)
    issue(new_client(), dns, [fresh("back")])


# --- the operator ----------------------------------------------------------------------------------------------------


def test_check_config_finds_nothing_wrong_with_a_running_ca(stack):
    runs = [assayctl(stack, "check-config")]
    if os.geteuid() == 0:  # and root, who may look into everything
        runs.append(subprocess.run([stack["ASSAYCTL"], "-c", stack["ASSAY_CONF"], "check-config"], stdout=subprocess.PIPE,
                                   text=True, timeout=60, check=False))
    for done in runs:
        assert done.returncode == 0, done.stdout
        for found in ("issuer main", "database as assay-signer", "Redis as assay-order", "clock", "resolver"):
            assert re.search(rf"^ok +{found}", done.stdout, re.M), done.stdout
        assert "FAILED" not in done.stdout


def test_check_config_names_file_line_and_the_nearest_key(stack, tmp_path):
    tmp_path.chmod(0o755)
    conf = tmp_path / "assay.conf"
    with open(stack["ASSAY_CONF"], encoding="utf-8") as text:
        conf.write_text(text.read().replace("[validation]", "[validation]\nresolver = 127.0.0.1:53"), encoding="utf-8")
    line = conf.read_text(encoding="utf-8").splitlines().index("resolver = 127.0.0.1:53") + 1
    done = subprocess.run([stack["ASSAYCTL"], "-c", conf, "check-config"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert f"{conf}:{line}" in done.stdout and "resolvers" in done.stdout


def test_status_shows_programs_orders_and_issuers(stack, client):
    client.new_order([fresh("status")])
    done = assayctl(stack, "status")
    assert done.returncode == 0, done.stdout
    for word in ("assay-signer", "assay-validator", "assay-keeper", "assay-order", "issuers", "main", "validation", "issuance",
                 "dead letters", "pending"):
        assert word in done.stdout, (word, done.stdout)
    assert re.search(r"dead letters +0\b", done.stdout), done.stdout


def test_the_operator_revokes_by_serial_number(stack, client, dns, db):
    _, (leaf, *_) = issue(client, dns, [fresh("operator")])
    serial = f"{leaf.serial_number:036x}"
    reason = "select reason from assay.certificates where serial = %s"
    dry = assayctl(stack, "revoke", "--serial", serial, "--reason", "superseded")
    assert dry.returncode == 0 and serial in dry.stdout and "Nothing was changed" in dry.stdout
    assert db.one(reason, bytes.fromhex(serial)) is None
    colons = ":".join(serial[i:i + 2] for i in range(0, 36, 2)).upper()
    done = assayctl(stack, "revoke", "--serial", colons, "--reason", "superseded", "--why", "a test", "--yes")
    assert done.returncode == 0 and "1 revoked" in done.stdout, done.stdout
    assert db.one(reason, bytes.fromhex(serial)) == 4
    assert db.one("select detail from assay.audit_log where action = 'certificate.revoke' and object = %s",
                  serial).endswith(": a test")
    assert client.revoke(leaf).problem == "alreadyRevoked"
    for words in (["--serial", "40" * 18, "--reason", "superseded"], ["--serial", "12", "--reason", "4"],
                  ["--serial", serial, "--reason", "because"], ["--serial", serial], ["--reason", "4"]):
        assert assayctl(stack, "revoke", *words, "--yes").returncode != 0


def psql(stack, script, status=0, **variables):
    with open(os.path.join(stack.etc, "secrets", "database", "assay-admin"), encoding="ascii") as text:
        password = text.readline().strip()
    scripts = os.path.join(os.path.dirname(os.path.dirname(stack["ASSAYCTL"])), "share", "assay", "sql", "admin")
    host = re.search(r"host=(\S+)", stack["DATABASE_URL"]).group(1)
    words = [word for name, value in variables.items() for word in ("-v", f"{name}={value}")]
    done = subprocess.run(["psql", "-XAt", "-h", host, "-U", "assay-admin", "-d", "assay", *words, "-f",
                           os.path.join(scripts, script)], env={**os.environ, "PGPASSWORD": password}, text=True, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert done.returncode == status, done.stdout
    return done.stdout


def test_the_operators_scripts_look_revoke_block_and_verify(stack, new_client, dns):
    client, key, name = new_client(), Key("ES256"), fresh("script")
    _, (leaf, *_) = issue(client, dns, [name], key.private)
    serial = f"{leaf.serial_number:036x}"
    dry = psql(stack, "revoke_by_name.sql", name=name, reason=4, why="test")
    assert serial in dry and "Dry run" in dry and client.new_order([name]).status == 201
    assert "revoked|1" in psql(stack, "revoke_by_name.sql", name=name, reason="superseded", why="test", go="yes", expect=1)
    assert client.revoke(leaf).problem == "alreadyRevoked"
    assert "alive" in psql(stack, "status.sql") and psql(stack, "stuck.sql").strip() == ""
    assert psql(stack, "audit_verify.sql").strip() == ""


def test_a_key_is_blocked_with_all_its_certificates_and_let_go(stack, new_client, dns, db):
    key = Key("ES256")
    names = [fresh("leaked") for _ in range(3)]
    leaves = [issue(new_client(), dns, [name], key.private)[1][0] for name in names]
    spki = hashlib.sha256(key.private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)).hexdigest()
    refused = psql(stack, "revoke_by_key.sql", status=3, spki_sha256=spki, why="leaked", go="yes", expect=2)
    assert "certificates that would change: 3; expected: 2" in refused
    assert "revoked|3" in psql(stack, "revoke_by_key.sql", spki_sha256=spki, why="leaked", go="yes", expect=3)
    for leaf in leaves:
        assert db.one("select reason from assay.certificates where serial = %s", leaf.serial_number.to_bytes(18, "big")) == 1
    assert "leaked" in psql(stack, "revocations.sql")
    client = new_client()
    order = ready_order(client, dns, [names[0]])
    csr = make_csr([names[0]], key.private)
    assert client.finalize(order, csr).problem == "badCSR"
    assert psql(stack, "block_key.sql", spki_sha256=spki, why="again", go="yes").split()[-1] == "f"
    assert psql(stack, "unblock_key.sql", spki_sha256=spki, why="a test", go="yes").split()[-1] == "t"
    assert client.finalize(order, csr).status == 200


def test_an_account_that_the_operator_revokes_is_401_at_once(stack, new_client, dns):
    client = new_client()
    name = fresh("closed")
    order = ready_order(client, dns, [name])
    assert "t" in psql(stack, "account_revoke.sql", account=uuid_of(client.kid), why="test", go="yes").split()
    for answer in (client.get(client.kid), client.new_order([name]), client.finalize(order, make_csr([name]))):
        assert (answer.status, answer.problem) == (401, "unauthorized")
