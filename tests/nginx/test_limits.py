"""Limits by client in nginx/, on an nginx whose handlers are away (502) or hang, and that takes a client's address from a header
field of the test's."""

import os
import re
import select
import signal
import socket
import subprocess
import time

import pytest

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "nginx")
NONCE, ORDER = "/acme/new-nonce", "/acme/new-order"
CONNECTIONS_MAX = 200


class Nginx:
    def __init__(self, folder):
        self.folder = folder
        for name in os.listdir(SOURCE):
            if name.endswith((".conf", ".conf.in")):
                with open(f"{SOURCE}/{name}", encoding="utf-8") as text:
                    # Slow enough for nothing to be given back while a test asks; the bursts are what is tested.
                    slow = re.sub(r"rate=\d+r/s", "rate=1r/m", text.read())
                    self.write(name.removesuffix(".in"), re.sub("@[A-Z_]+_DIR@", folder, slow))
        temp = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "fastcgi", "proxy", "scgi", "uwsgi"))
        self.write("nginx.conf", f"""{'user root;' if os.geteuid() == 0 else ''} worker_processes 1; worker_rlimit_nofile 4096; daemon off; pid {folder}/pid;
            events {{ worker_connections 2048; }}
            http {{ access_log off; {temp}
                include assay-http.conf;
                server {{ listen unix:{folder}/nginx.sock; set_real_ip_from unix:; real_ip_header X-Client; include assay-server.conf; }}
            }}""")
        self.process = subprocess.Popen(["nginx", "-p", folder, "-c", f"{folder}/nginx.conf", "-e", f"{folder}/error.log"])
        deadline = time.monotonic() + 10
        while not os.path.exists(f"{folder}/nginx.sock"):
            assert self.process.poll() is None and time.monotonic() < deadline, self.log()
            time.sleep(0.01)

    def write(self, name, text):
        with open(f"{self.folder}/{name}", "w", encoding="utf-8") as out:
            out.write(text)

    def log(self):
        with open(f"{self.folder}/error.log", encoding="utf-8") as text:
            return text.read()

    def ask(self, client, path):
        """A connection with a request on it."""
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(f"{self.folder}/nginx.sock")
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Client: {client}\r\n\r\n".encode())
        return sock

    def status(self, client, path):
        with self.ask(client, path) as sock:
            return int(sock.recv(100).split()[1])

    def workers(self):
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as pids:
            return set(pids.read().split())

    def reload(self):
        """Until every worker is a new one; what nginx said."""
        before, workers = self.log(), self.workers()
        self.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 10
        while not self.workers() or self.workers() & workers:
            assert self.process.poll() is None and time.monotonic() < deadline, self.log()
            time.sleep(0.01)
        return self.log()[len(before):]


@pytest.fixture
def nginx(tmp_path):
    os.chmod(tmp_path, 0o755)
    server = Nginx(str(tmp_path))
    yield server
    server.process.terminate()
    server.process.wait()


@pytest.fixture
def hanging_order(nginx):
    """A handler that takes requests and never answers."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{nginx.folder}/order.sock")
        os.chmod(f"{nginx.folder}/order.sock", 0o777)
        listener.listen(1024)
        yield listener


def use_up(nginx, clients, path=NONCE):
    """Asks until the client is limited, or 400 times; the statuses seen."""
    seen = set()
    for i in range(400):
        seen.add(nginx.status(clients[i % len(clients)], path))
        if 429 in seen:
            break
    return seen


def test_ipv6_clients_are_limited_by_their_network_of_64_bits(nginx):
    # The byte 10 is a line's end, which a pattern may take for something else.
    for network in ("2001:db8:0:1", "2001:db8:a0a:a0a"):
        assert use_up(nginx, [f"{network}::{i:x}:1" for i in range(1, 50)]) == {502, 429}
        assert nginx.status(f"{network}:ffff::ffff", NONCE) == 429
    assert nginx.status("2001:db8:0:2::1", NONCE) == 502


def test_ipv4_clients_are_limited_by_address(nginx):
    assert use_up(nginx, ["192.0.2.1"]) == {502, 429}
    assert nginx.status("192.0.2.2", NONCE) == 502


def test_addresses_of_the_list_are_not_limited(nginx):
    assert use_up(nginx, ["127.0.0.1", "::1"]) == {502}


def test_a_reload_keeps_what_was_counted_and_takes_other_rates(nginx):
    with open(f"{nginx.folder}/assay-http.conf", encoding="utf-8") as text:
        changed = text.read().replace("zone=assay_nonce:10m rate=50r/s", "zone=assay_nonce:10m rate=1r/s")
    nginx.write("assay-http.conf", changed)
    assert 429 in use_up(nginx, ["192.0.2.1"])
    assert "emerg" not in nginx.reload()
    assert 429 in use_up(nginx, ["192.0.2.1"])
    time.sleep(0.5)  # worth 25 requests before, and half a one now
    assert [nginx.status("192.0.2.1", NONCE) for _ in range(5)].count(502) <= 1


def answered(socks):
    """The statuses that have come by now."""
    ready = select.select(socks, [], [], 0.5)[0]
    return [int(sock.recv(100).split()[1]) for sock in ready]


def test_one_client_holds_no_more_than_its_share_of_requests_at_once(nginx, hanging_order):
    held = [nginx.ask(f"2001:db8::{i:x}", ORDER) for i in range(1, CONNECTIONS_MAX + 1)]
    assert answered(held) == []
    assert nginx.status("2001:db8::ffff", ORDER) == 429
    other = nginx.ask("2001:db8:1::1", ORDER)
    assert answered([other]) == []
    for sock in (*held, other):
        sock.close()
