#!/usr/bin/python3
"""Certificates a second, by one client, from several ACME servers, one after the other in one run.

    compare.py --bench PROGRAM --env FILE [--with pebble,caddy] [--connections 8,32] [--seconds S] [--json FILE]

--env names a running assay stack (its FILE/env). Pebble and Caddy are started here, in a temporary folder, with their own
ways of keeping state (Pebble: memory; Caddy: its database file). Caddy's ACME server can only validate at port 80 and
asks the system's resolver, so it and its client run in a network namespace of their own.

Cost is CPU time of all server processes (for assay: nginx, handlers, workers, PostgreSQL, Redis) a certificate, in milliseconds
and in V, the time of one ECDSA P-256 verification measured in the same run.
"""

import argparse
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TICK = os.sysconf("SC_CLK_TCK")


def read_env(path):
    with open(path, encoding="utf-8") as text:
        return dict(word.split("=", 1) for word in shlex.split(text.read()))


# --- what the servers cost -------------------------------------------------------------------------------------------


def tree(roots):
    """Every process below the roots, the roots included."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as stat:
                    parents.setdefault(int(stat.read().rsplit(")", 1)[1].split()[1]), []).append(int(entry))
            except OSError:
                continue
    found, todo = set(), list(roots)
    while todo:
        pid = todo.pop()
        if pid not in found:
            found.add(pid)
            todo += parents.get(pid, [])
    return found


def cpu_seconds(roots):
    """User and system time of the tree, of its dead and waited-for members, too."""
    total = 0
    for pid in tree(roots):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
            total += sum(int(field) for field in fields[11:15])
        except OSError:
            continue
    return total / TICK


def memory_mib(roots):
    """Proportional set size: memory that processes share counts once."""
    total = 0
    for pid in tree(roots):
        try:
            with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
                total += sum(int(line.split()[1]) for line in rollup if line.startswith("Pss:"))
        except OSError:
            continue
    return total / 1024


# --- the servers -----------------------------------------------------------------------------------------------------


def make_certificate(folder):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                    "-keyout", f"{folder}/tls.key", "-out", f"{folder}/tls.pem"], check=True, stderr=subprocess.DEVNULL)


class Server:
    """One server under test: how to start it, and how the client reaches it."""

    prefix = []  # put before the client's command

    def __init__(self, name):
        self.name = name
        self.process = None

    def stop(self):
        if self.process:
            os.killpg(self.process.pid, signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
            self.process = None

    def launch(self, command, folder, **kwargs):
        log = open(f"{folder}/{self.name}.log", "wb")
        self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, **kwargs)


class Assay(Server):
    def __init__(self, env_file):
        super().__init__("assay")
        self.env = read_env(env_file)
        self.version = "this tree; PostgreSQL with fsync and synchronous_commit"

    def start(self, folder):
        return {"directory": self.env["ACME_DIRECTORY"], "ca": self.env["ACME_CA_ROOT"],
                "http01": self.env["HTTP01_PORT"], "dns": self.env["RESOLVER"].rsplit(":", 1)[1]}

    def pids(self):
        dns = self.env.get("PID_DNS")
        return [int(pid) for pid in self.env["PIDS"].split() if pid != dns]

    def stop(self):
        pass


class Pebble(Server):
    def __init__(self):
        super().__init__("pebble")
        self.version = "in memory"

    def start(self, folder):
        with open(f"{folder}/pebble.json", "w", encoding="utf-8") as out:
            json.dump({"pebble": {"listenAddress": "127.0.0.1:14900", "managementListenAddress": "127.0.0.1:15900",
                                  "certificate": f"{folder}/tls.pem", "privateKey": f"{folder}/tls.key", "httpPort": 5902,
                                  "tlsPort": 5901, "ocspResponderURL": "", "externalAccountBindingRequired": False}}, out)
        env = {**os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0", "PEBBLE_AUTHZREUSE": "0"}
        self.launch(["pebble", "-config", f"{folder}/pebble.json", "-dnsserver", "127.0.0.1:5903"], folder, env=env)
        return {"directory": "https://localhost:14900/dir", "ca": f"{folder}/tls.pem", "http01": "5902", "dns": "5903"}

    def pids(self):
        return [self.process.pid]


class Caddy(Server):
    def __init__(self):
        super().__init__("caddy")
        self.version = "on its database file"

    def start(self, folder):
        with open(f"{folder}/Caddyfile", "w", encoding="utf-8") as out:
            out.write(f"{{\n\tadmin off\n\tauto_https off\n\tstorage file_system {folder}/caddy\n\tskip_install_trust\n}}\n"
                      f"https://localhost:14800 {{\n\ttls {folder}/tls.pem {folder}/tls.key\n\tacme_server\n}}\n")
        with open(f"{folder}/resolv.conf", "w", encoding="ascii") as out:
            out.write("nameserver 127.0.0.1\n")
        with open(f"{folder}/hosts", "w", encoding="ascii") as out:
            out.write("127.0.0.1 localhost\n")
        setup = (f"ip link set lo up && mount --bind {folder}/resolv.conf /etc/resolv.conf && "
                 f"mount --bind {folder}/hosts /etc/hosts && exec caddy run --config {folder}/Caddyfile --adapter caddyfile")
        unshare = ["unshare", "--net", "--mount"] if os.getuid() == 0 else ["unshare", "--user", "--map-root-user", "--net",
                                                                           "--mount"]
        self.launch([*unshare, "sh", "-c", setup], folder,
                    env={**os.environ, "HOME": folder, "XDG_DATA_HOME": folder, "XDG_CONFIG_HOME": folder})
        self.prefix = ["nsenter", "--target", str(self.process.pid), "--net", "--mount",
                       *([] if os.getuid() == 0 else ["--user", "--preserve-credentials"])]
        return {"directory": "https://localhost:14800/acme/local/directory", "ca": f"{folder}/tls.pem", "http01": "80",
                "dns": "53"}

    def pids(self):
        return [self.process.pid]


# --- one measurement -------------------------------------------------------------------------------------------------


def measure(server, where, connections, seconds, bench):
    command = [*server.prefix, bench, "--directory", where["directory"], "--ca", where["ca"], "--connections",
               str(connections), "--seconds", str(seconds), "--http01-port", where["http01"], "--dns-port", where["dns"]]
    client = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    if client.stdout.readline().strip() != "ready":
        raise RuntimeError(f"{server.name}: the client could not start")
    before = cpu_seconds(server.pids())
    client.stdin.write("go\n")
    client.stdin.flush()
    line = client.stdout.readline()
    after = cpu_seconds(server.pids())
    client.wait(60)
    result = json.loads(line)
    result.update(server=server.name, version=server.version, connections=connections, memory_mib=memory_mib(server.pids()))
    done = max(1, result["certificates"])
    result["cpu_ms"] = 1000 * (after - before) / done
    result["cpu_v"] = 1e6 * (after - before) / done / result["v_us"]
    return result


def answers(server, where):
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if subprocess.run([*server.prefix, "curl", "-sf", "--cacert", where["ca"], "-o", "/dev/null", where["directory"]],
                          check=False).returncode == 0:
            return True
        time.sleep(0.2)
    return False


def trial(server, folder, connections, args):
    """A fresh server for each figure (ours runs on): what one could not take does not burden the next."""
    where = server.start(folder)
    try:
        if not answers(server, where):
            with open(f"{folder}/{server.name}.log", encoding="utf-8", errors="replace") as log:
                print(log.read()[-2000:], file=sys.stderr)
            print(f"  {server.name}: did not start, left out", flush=True)
            return None
        return measure(server, where, connections, args.seconds, args.bench)
    finally:
        server.stop()


HEAD = ("server", "conns", "certs/s", "p50 ms", "p99 ms", "CPU ms/cert", "V/cert", "MiB", "failed")


def row(result):
    return (result["server"], str(result["connections"]), f"{result['rate']:.0f}", f"{result['p50_ms']:.1f}",
            f"{result['p99_ms']:.1f}", f"{result['cpu_ms']:.2f}", f"{result['cpu_v']:.1f}", f"{result['memory_mib']:.0f}",
            str(result["failed"]))


def table(rows):
    widths = [max(len(line[i]) for line in [HEAD, *rows]) for i in range(len(HEAD))]
    for line in [HEAD, tuple("-" * width for width in widths), *rows]:
        print("  " + "  ".join(cell.ljust(width) if i == 0 else cell.rjust(width)
                               for i, (cell, width) in enumerate(zip(line, widths))), flush=True)


def numbers(text):
    return [int(number) for number in text.split(",") if number]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bench", required=True)
    parser.add_argument("--env", required=True)
    parser.add_argument("--with", dest="peers", default="")
    parser.add_argument("--connections", type=numbers, default=[8, 32])
    parser.add_argument("--assay-connections", type=numbers, default=[], help="more for assay alone")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--json")
    args = parser.parse_args()
    servers = [Assay(args.env)] + [{"pebble": Pebble, "caddy": Caddy}[name]() for name in args.peers.split(",") if name]
    results = []
    with tempfile.TemporaryDirectory(prefix="assay-bench.") as folder:
        os.chmod(folder, 0o755)
        make_certificate(folder)
        for server in servers:
            counts = args.connections + (args.assay_connections if server.name == "assay" else [])
            for connections in counts:
                result = trial(server, folder, connections, args)
                if result is None:
                    break
                results.append(result)
                print(f"  {server.name} at {connections} connections: {result['rate']:.0f} certificates/s", flush=True)
    print()
    table([row(result) for result in results])
    v = sum(result["v_us"] for result in results) / len(results)
    print("\n  failed: flows that ended in an error, or without an answer within 10 s (Debian's Pebble can lock up under load).")
    print(f"  V = {v:.1f} µs (mean of the run). " + "; ".join(f"{s.name}: {s.version}" for s in servers))
    if args.json:
        with open(args.json, "w", encoding="utf-8") as out:
            json.dump(results, out, indent=1)
    return 1 if any(result["failed"] for result in results if result["server"] == "assay") else 0


if __name__ == "__main__":
    sys.exit(main())
