"""Fixtures: the running stack's variables (ASSAY_ENV names its env file; ./dev test sets it)."""

import json
import os
import shlex
import urllib.request

import psycopg2
import pytest
import steps
from acme_client import AcmeClient
from responders import AlpnServer, WebServer


class StackEnv:
    """The variables of the running stack; read anew each time, for pids change when a process is restarted."""

    def __init__(self, path):
        self.path = path

    def __getitem__(self, name):
        with open(self.path, encoding="utf-8") as text:
            return dict(word.split("=", 1) for word in shlex.split(text.read()))[name]

    @property
    def log_dir(self):
        return os.environ["ASSAY_LOG"]

    @property
    def etc(self):
        return os.path.dirname(self["ASSAY_CONF"])

    @property
    def http01_port(self):
        return int(self["HTTP01_PORT"])

    @property
    def tlsalpn01_port(self):
        return int(self["TLSALPN01_PORT"])


class Dns:
    """What the stack's DNS server says (dnsd.py)."""

    def __init__(self, control):
        self.control = control

    def __call__(self, verb, **body):
        request = urllib.request.Request(f"{self.control}/{verb}", data=json.dumps(body).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=10) as answer:
            text = answer.read()
        return json.loads(text) if text else None


@pytest.fixture(scope="session")
def stack():
    path = os.environ.get("ASSAY_ENV")
    if not path:
        pytest.exit("no stack is running: use ./dev test integration", returncode=2)
    return StackEnv(path)


@pytest.fixture(scope="session")
def dns(stack):
    return Dns(stack["DNS_CONTROL"])


@pytest.fixture(scope="session")
def db(stack):
    """A superuser's connection: tests look at rows, and make time pass in them."""
    connection = psycopg2.connect(stack["DATABASE_URL"])
    connection.autocommit = True
    yield steps.Database(connection)
    connection.close()


@pytest.fixture(scope="session")
def new_client(stack):
    """new_client(): a client with an account of its own. new_client(account=False): without."""
    def make(key=None, account=True):
        client = AcmeClient(stack["ACME_DIRECTORY"], stack["ACME_CA_ROOT"], key)
        if account:
            answer = client.new_account()
            assert answer.status == 201, answer
        return client
    return make


@pytest.fixture(scope="module")
def client(new_client):
    return new_client()


@pytest.fixture(scope="module")
def web(stack):
    server = WebServer(stack.http01_port)
    yield server
    server.close()


@pytest.fixture(scope="module")
def tls(stack):
    server = AlpnServer(stack.tlsalpn01_port)
    yield server
    server.close()


def pytest_collection_modifyitems(items):
    """What stops programs comes behind what needs them; what reads the logs of it all comes last."""
    last = ("test_operation", "test_secrets")
    items.sort(key=lambda item: last.index(item.module.__name__) + 1 if item.module.__name__ in last else 0)
