"""Fixtures: a private Redis, the throw-away PostgreSQL of tests/sql/server.sh, and programs started on them."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest

import fastcgi

BASE = "https://acme.example.org"
BUILD = os.environ["top_builddir"]


def wait_for(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


# A user for those who come by TCP, where none is let in without a password.
USER = ("--user", "assay-directory", "on", ">secret", "~*", "&*", "+@all")


class Redis:
    """A Redis on a Unix socket and a port that can be stopped and started again."""

    def __init__(self, folder):
        self.socket = f"{folder}/redis.sock"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.process = None
        self.start()

    def start(self):
        self.process = subprocess.Popen(["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--unixsocket", self.socket,
                                         "--save", "", "--appendonly", "no",
                                         *USER], stdout=subprocess.DEVNULL)
        wait_for(lambda: self("PING") == "PONG")

    def __call__(self, *words):
        done = subprocess.run(["redis-cli", "-s", self.socket, *words], capture_output=True, text=True, check=False)
        return done.stdout.strip()

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Program:
    """One handler process. listener is a listening socket that it gets as standard input, as systemd does it;
    systemd=True makes one."""

    def __init__(self, name, folder, conf, systemd=False, path=None, listener=None):
        self.socket = path or f"{folder}/{name}-{time.monotonic_ns()}.sock"
        self.log_path = f"{folder}/{name}-{time.monotonic_ns()}.log"
        self.errors_expected = False
        stdin, args = subprocess.DEVNULL, ["-l", self.socket]
        if systemd:
            stdin, args = socket.socket(socket.AF_UNIX), []
            stdin.bind(self.socket)
            stdin.listen(128)
        elif listener:
            stdin, args = listener, []
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([f"{BUILD}/fcgi/{name}", "-c", conf, *args], stdin=stdin, stderr=log)
        wait_for(lambda: '"ready"' in self.log() or self.process.poll() is not None)

    def log(self):
        with open(self.log_path, encoding="utf-8") as text:
            return text.read()

    def connect(self):
        return fastcgi.Connection(self.socket)

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def kill(self):
        """As a crash would end it."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        """Ends it; the exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(timeout=15)


@pytest.fixture(scope="session")
def folder():
    path = tempfile.mkdtemp(prefix="assay-fcgi.")
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def redis(folder):
    server = Redis(folder)
    yield server
    server.stop()


class Conf:
    """A configuration file that tests rewrite."""

    def __init__(self, path, redis):
        self.path = path
        self.redis = redis

    def write(self, base_url=BASE, database=None, redis=None, extra=""):
        database = database or f"host={os.environ['PGHOST']} dbname={os.environ['PGDATABASE']}"
        with open(self.path, "w", encoding="utf-8") as out:
            out.write(f"[server]\nbase_url = {base_url}\nwebsite = https://www.example.org/?a=1&b=2\n"
                      f"[database]\nuri = {database}\n[redis]\n{redis or f'socket = {self.redis.socket}'}\n{extra}\n")
        return self.path

    def by_tcp(self):
        """How assay-directory reaches the same Redis by its port."""
        passwords = f"{os.path.dirname(self.path)}/passwords"
        os.makedirs(passwords, exist_ok=True)
        path = f"{passwords}/assay-directory"
        if not os.path.exists(path):
            with open(path, "w", encoding="ascii", opener=lambda name, flags: os.open(name, flags, 0o400)) as out:
                out.write("secret\n")
        return f"address = 127.0.0.1:{self.redis.port}\npasswords = {passwords}"


@pytest.fixture
def conf(folder, redis):
    made = Conf(f"{folder}/assay.conf", redis)
    made.write()
    return made


@pytest.fixture
def start(folder, conf):
    """Starts programs and sees to it that each ends well."""
    running = []

    def start_one(name, **kwargs):
        fails = kwargs.pop("fails", False)
        running.append(Program(name, folder, conf.path, **kwargs))
        assert (running[-1].process.poll() is not None) == fails, running[-1].log()
        return running[-1]

    yield start_one
    for program in running:
        if program.process.poll() is None:
            assert program.stop() == 0, program.log()
        assert "Sanitizer" not in program.log(), program.log()
        assert program.errors_expected or '"level":"error"' not in program.log(), program.log()


# ---- the three programs together, for the tests of resources ----

RESOURCES = f"""[server]
base_url = {BASE}
terms_of_service = https://acme.example.org/terms
[database]
uri = host={os.environ.get('PGHOST')} dbname={os.environ.get('PGDATABASE')}
[handlers]
wait = %s
[orders]
blocked_names = .blocked.test
names_max = 20
[profile classic]
description = ninety days
validity = 90d
[profile short]
validity = 6d
names_max = 2
key_types = p256
"""


@pytest.fixture(scope="module")
def handlers(folder, redis, request):
    """The programs by name. A module may set WAIT, how long answers wait for the workers, and EXTRA settings."""
    path = f"{folder}/{request.module.__name__}.conf"
    with open(path, "w", encoding="utf-8") as out:
        out.write(RESOURCES % getattr(request.module, "WAIT", "0ms") + getattr(request.module, "EXTRA", "")
                  + f"[redis]\nsocket = {redis.socket}\n")
    programs = {name: Program(name, folder, path) for name in ("assay-directory", "assay-account", "assay-order")}
    yield programs
    for program in programs.values():
        assert program.stop() == 0, program.log()
        assert "Sanitizer" not in program.log(), program.log()
        assert '"level":"error"' not in program.log(), program.log()


@pytest.fixture
def new_client(handlers):
    """Makes clients; each has an account of its own unless told otherwise."""
    from acme_over_fcgi import Client

    made = []

    def new(key=None, account=True):
        made.append(Client(handlers, key))
        if account:
            answer = made[-1].new_account()
            assert answer.status in (200, 201), answer
        return made[-1]

    yield new
    for client in made:
        client.close()


@pytest.fixture
def client(new_client):
    return new_client()


@pytest.fixture(scope="session")
def workers(redis):
    from acme_over_fcgi import Workers

    made = Workers(redis)
    yield made
    made.close()
