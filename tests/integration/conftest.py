"""Fixtures: the running stack's variables (ASSAY_ENV names its env file; ./dev test sets it)."""

import json
import os
import shlex
import urllib.request

import pytest


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
