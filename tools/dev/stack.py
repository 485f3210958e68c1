#!/usr/bin/python3
"""A private assay stack in one folder: PostgreSQL, Redis, DNS, nginx and every assay program, as an ordinary user.

    stack.py up   --dir FOLDER --programs PREFIX [options]   start it and return when it answers
    stack.py down --dir FOLDER                               stop it and return when it is gone

`up` leaves a supervisor behind that restarts whatever dies, as systemd would, and keeps FOLDER/env current. The handlers get
their listening sockets from it as file descriptor 0, so a handler may come and go while its socket stays.
Used by ./dev demo, ./dev bench and the integration tests.
"""

import argparse
import glob
import json
import os
import re
import secrets
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
HANDLERS = ("directory", "account", "order", "ocsp")
WORKERS = ("validator", "signer", "ocsp-signer", "keeper")
ROLES = [f"assay-{name}" for name in HANDLERS + WORKERS] + ["assay-admin"]
READY_SECS = 60


class Failure(Exception):
    """Something the person in front of the screen can act on."""


def say(text):
    print(f"  {text}", flush=True)


def run(command, log, **kwargs):
    """Runs a command to its end; what it printed goes to the log and, when it fails, into the message."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **kwargs)
    with open(log, "a", encoding="utf-8") as out:
        out.write(f"$ {shlex.join(command)}\n{done.stdout}\n")
    if done.returncode != 0:
        tail = "\n".join(done.stdout.strip().splitlines()[-15:])
        raise Failure(f"{os.path.basename(command[0])} failed (exit {done.returncode}); log: {log}\n{tail}")
    return done.stdout


def port_is_free(port, kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def choose_port(asked, first, taken):
    """The port asked for, or the first free one from `first` on."""
    if asked:
        return asked
    for port in range(first, first + 500):
        if port not in taken and port_is_free(port) and port_is_free(port, socket.SOCK_DGRAM):
            taken.add(port)
            return port
    raise Failure(f"no free port from {first} on: name one by option")


class Stack:
    """Paths and settings of one stack; everything lives below self.dir."""

    def __init__(self, folder):
        self.dir = os.path.abspath(folder)
        self.run = os.path.join(self.dir, "run")
        self.etc = os.path.join(self.dir, "etc")
        self.log = os.path.join(self.dir, "log")
        self.env_file = os.path.join(self.dir, "env")
        self.settings_file = os.path.join(self.etc, "stack.json")
        self.setup_log = os.path.join(self.log, "setup.log")
        if len(self.run) > 80:
            raise Failure(f"{self.dir}: too long for Unix sockets below it; choose a shorter --dir")

    def load(self):
        try:
            with open(self.settings_file, encoding="utf-8") as settings:
                self.__dict__.update(json.load(settings))
        except FileNotFoundError:
            raise Failure(f"{self.dir}: no stack here") from None

    def save(self, settings):
        with open(self.settings_file, "w", encoding="utf-8") as out:
            json.dump(settings, out, indent=1)
        self.__dict__.update(settings)

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def program(self, name):
        for folder in ("sbin", "bin", "libexec/assay", "lib/assay"):
            path = os.path.join(self.programs, folder, name)
            if os.access(path, os.X_OK):
                return path
        raise Failure(f"{name} is not installed below {self.programs}")

    def read(self, *parts):
        with open(self.path(*parts), encoding="utf-8") as text:
            return text.read().strip()

    def write(self, text, *parts, mode=0o600):
        path = self.path(*parts)
        with open(path, "w", encoding="utf-8", opener=lambda p, f: os.open(p, f, mode)) as out:
            out.write(text)
        return path


# --- making it -------------------------------------------------------------------------------------------------------


def postgres_bin():
    folders = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda p: int(p.split("/")[4]))
    if not folders:
        raise Failure("PostgreSQL is not installed: apt-get install postgresql")
    return folders[-1]


def make_tls(stack):
    """The server's own certificate, from a throw-away CA: clients are given tls/root.pem to trust."""
    tls = stack.path("tls")
    os.makedirs(tls, mode=0o700, exist_ok=True)
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "365"]
    run(["openssl", "req", "-x509", *curve, "-subj", "/CN=assay demo TLS root", "-keyout", f"{tls}/root.key",
         "-out", f"{tls}/root.pem", "-addext", "keyUsage=critical,keyCertSign,cRLSign"], stack.setup_log)
    run(["openssl", "req", *curve[:-2], "-subj", "/CN=localhost", "-keyout", f"{tls}/server.key",
         "-out", f"{tls}/server.csr"], stack.setup_log)
    stack.write("subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1\nextendedKeyUsage=serverAuth\n"
                "basicConstraints=critical,CA:FALSE\n", "tls", "server.ext")
    run(["openssl", "x509", "-req", "-in", f"{tls}/server.csr", "-CA", f"{tls}/root.pem", "-CAkey", f"{tls}/root.key",
         "-CAcreateserial", "-days", "365", "-extfile", f"{tls}/server.ext", "-out", f"{tls}/server.pem"],
        stack.setup_log)
    os.remove(f"{tls}/root.key")


def make_postgres(stack):
    password = secrets.token_urlsafe(18)
    pwfile = stack.write(password, "etc", "postgres.password")
    run([f"{postgres_bin()}/initdb", "--pgdata", stack.path("pg"), "--username=postgres", f"--pwfile={pwfile}",
         "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"], stack.setup_log)
    # Durability stays at its defaults: fsync and synchronous_commit are on.
    stack.write(
        f"listen_addresses = ''\nunix_socket_directories = '{stack.run}'\nunix_socket_permissions = 0700\n"
        "max_connections = 100\nshared_buffers = 256MB\nmax_wal_size = 4GB\nwal_buffers = 16MB\n"
        "log_min_duration_statement = 2s\nlog_lock_waits = on\n"
        + "".join(f"{line}\n" for line in stack.postgres_options), "pg", "postgresql.auto.conf")


def make_redis(stack):
    """The ACL file comes from assayctl init; a tool's default user is added: the socket's folder is ours alone."""
    acl = stack.read("etc", "redis.acl").replace("user default off", "")
    lines = [line for line in acl.splitlines() if line.strip() and not line.startswith("#")]
    lines.append("user default on nopass ~* &* +@all")
    stack.write("\n".join(lines) + "\n", "etc", "redis-demo.acl")
    os.makedirs(stack.path("redis"), mode=0o700, exist_ok=True)
    stack.write(
        f"port 0\nunixsocket {stack.run}/redis.sock\nunixsocketperm 700\ndir {stack.path('redis')}\n"
        f"appendonly yes\nappendfsync everysec\nauto-aof-rewrite-min-size 4mb\nmaxmemory-policy noeviction\nsave \"\"\n"
        f"aclfile {stack.etc}/redis-demo.acl\n", "etc", "redis.conf")


def make_nginx(stack):
    include = stack.path("etc", "nginx")
    shutil.copytree(os.path.join(stack.installed, "etc", "nginx"), include, dirs_exist_ok=True)
    for name in ("assay-http.conf", "assay-ocsp-http.conf"):
        text = stack.read("etc", "nginx", name)
        for handler in HANDLERS:
            text = "\n".join(
                f"\tserver unix:{stack.run}/{handler}.sock max_fails=0;" if f"/{handler}.sock" in line else line
                for line in text.splitlines())
        text = re.sub(r"(fastcgi_cache_path )\S+/(\S+)", rf"\1{stack.run}/nginx-\2", text)
        stack.write(text + "\n", "etc", "nginx", name)
    public = stack.read("etc", "nginx", "assay-public.conf")
    stack.write("\n".join(f"root {stack.path('public')};" if line.startswith("root ") else line for line in public.splitlines())
                + "\n", "etc", "nginx", "assay-public.conf")
    temp = "".join(f"\t{kind}_temp_path {stack.run}/nginx-{kind};\n"
                   for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    stack.write(
        f"""daemon off;
worker_processes {stack.nginx_workers};
pid {stack.run}/nginx.pid;
error_log {stack.log}/nginx-error.log warn;
events {{ worker_connections 4096; }}
http {{
{temp}	access_log off;
	default_type text/plain;
	include assay-http.conf;
	server {{
		listen 127.0.0.1:{stack.port} ssl http2 backlog=4096;
		listen [::1]:{stack.port} ssl http2 backlog=4096;
		server_name localhost;
		ssl_certificate {stack.path('tls')}/server.pem;
		ssl_certificate_key {stack.path('tls')}/server.key;
		ssl_protocols TLSv1.2 TLSv1.3;
		ssl_session_cache shared:tls:4m;
		include assay-server.conf;
	}}
	server {{
		listen 127.0.0.1:{stack.public_port} backlog=1024;
		listen [::1]:{stack.public_port} backlog=1024;
		server_name localhost;
		include assay-public.conf;
	}}
	include assay-ocsp-http.conf;
	server {{
		listen 127.0.0.1:{stack.ocsp_port} backlog=4096;
		listen [::1]:{stack.ocsp_port} backlog=4096;
		server_name localhost;
		include assay-ocsp-server.conf;
	}}
{"".join(f"	include {path};{chr(10)}" for path in stack.nginx_includes)}}}
""", "etc", "nginx", "nginx.conf")


def make_assay(stack):
    """PKI, secrets and configuration by assayctl init, as an operator would; then the demo's own settings."""
    ports = [80, 443, stack.http01_port, stack.tlsalpn01_port]
    settings = {
        "database.uri": f"postgresql:///assay?host={stack.run}",
        "redis.socket": f"{stack.run}/redis.sock",
        "journal.folder": stack.path("journal"),
        "handlers.socket_dir": stack.run,
        "issuer main.ocsp_url": f"http://localhost:{stack.ocsp_port}",
        "validation.resolvers": stack.resolver,
        "validation.http01_port": stack.http01_port,
        "validation.tlsalpn01_port": stack.tlsalpn01_port,
        "validation.redirect_ports": " ".join(map(str, ports)),
        # Everything a demo validates is on this machine; a public CA allows nothing here.
        "validation.allow_addresses": "127.0.0.0/8 ::1/128",
        # A demo shows a revocation soon.
        "ocsp.state_dir": stack.path("ocsp"),
        "crl.folder": stack.path("public"),
        "crl.delay": "2s",
        **dict(item.split("=", 1) for item in stack.conf_options),
    }
    os.makedirs(stack.path("offline"), mode=0o700, exist_ok=True)
    os.makedirs(stack.path("public"), mode=0o755, exist_ok=True)
    os.makedirs(stack.path("journal"), mode=0o700, exist_ok=True)
    run([stack.program("assayctl"), "init", "--dir", stack.etc, "--root-key", stack.path("offline", "root.key"), "--base-url",
         f"https://localhost:{stack.port}", "--name", "assay demo", "--caa-identity", "assay.test",
         "--public-url", f"http://localhost:{stack.public_port}",
         *[word for name, value in settings.items() for word in ("--set", f"{name}={value}")]], stack.setup_log)


def migrate(stack):
    """As a PostgreSQL superuser, whose password travels in a file."""
    run(["createdb", "-h", stack.run, "-U", "postgres", "assay"], stack.setup_log, env=postgres_env(stack))
    run([stack.program("assayctl"), "-c", f"{stack.etc}/assay.conf", "migrate", "--sql",
         os.path.join(stack.programs, "share", "assay", "sql")], stack.setup_log, env=postgres_env(stack))
    run([stack.program("assayctl"), "-c", f"{stack.etc}/assay.conf", "publish-crl", "--issuer", f"{stack.etc}/pki/root.pem",
         "--url", f"http://localhost:{stack.public_port}/root.crl", "--list", f"{stack.etc}/pki/root.crl"], stack.setup_log)


def postgres_env(stack):
    passfile = stack.write(f"*:*:*:postgres:{stack.read('etc', 'postgres.password')}\n", "etc", "pgpass")
    return {**os.environ, "PGPASSFILE": passfile, "PGUSER": "postgres"}


def database_url(stack, database="assay"):
    return f"postgresql://postgres:{stack.read('etc', 'postgres.password')}@/{database}?host={stack.run}"


# --- running it ------------------------------------------------------------------------------------------------------


class Service:
    """One process that is kept alive. A handler's processes share one listening socket as file descriptor 0."""

    def __init__(self, stack, name, command, stop_signal=signal.SIGTERM, listen=None, env=None):
        self.stack, self.name, self.command, self.stop_signal = stack, name, command, stop_signal
        self.listen, self.env = listen, env
        self.process = None
        self.started = 0.0

    def start(self):
        log = open(os.path.join(self.stack.log, f"{self.name}.log"), "ab")
        self.process = subprocess.Popen(
            self.command, stdin=self.listen if self.listen else subprocess.DEVNULL, stdout=log, stderr=log,
            env={**os.environ, **(self.env or {})}, start_new_session=True)
        log.close()
        self.started = time.monotonic()

    def poll(self):
        """Restarts it when it died; at most five times a second."""
        if self.process.poll() is None or time.monotonic() - self.started < 0.2:
            return False
        print(f"{self.name}: ended with {self.process.returncode}, started again", flush=True)
        self.start()
        return True

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(self.stop_signal)

    def wait(self, deadline):
        try:
            self.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            print(f"{self.name}: did not stop in time, killed", flush=True)
            self.process.kill()
            self.process.wait()


def listening_socket(path):
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.bind(path)
    sock.listen(1024)
    return sock


def data_services(stack):
    services = [
        Service(stack, "postgresql", [f"{postgres_bin()}/postgres", "-D", stack.path("pg")], signal.SIGINT),
        Service(stack, "redis", ["redis-server", f"{stack.etc}/redis.conf"]),
    ]
    if stack.dns_port:
        services.append(Service(stack, "dns", ["/usr/bin/python3", os.path.join(TOP, "tests/integration/dnsd.py"), "--port",
                                               str(stack.dns_port), "--control-port", str(stack.dns_control_port)]))
    return services


def program_services(stack):
    services = []
    env = {"LIBFCGI_OS_CLOSE_POLL_TIMEOUT": "0", **stack.program_env}
    for name in HANDLERS:
        sock = listening_socket(f"{stack.run}/{name}.sock")
        for i in range(1, stack.processes + 1):
            services.append(Service(stack, f"assay-{name}-{i}", [stack.program(f"assay-{name}"), "-c",
                                    f"{stack.etc}/assay.conf"], listen=sock, env=env))
    for name in WORKERS:
        for i in range(1, (stack.workers if name != "keeper" else 1) + 1):
            services.append(Service(stack, f"assay-{name}-{i}", [stack.program(f"assay-{name}"), "-c",
                                    f"{stack.etc}/assay.conf"], env=env))
    services.append(Service(stack, "nginx", ["nginx", "-p", f"{stack.etc}/nginx", "-c", f"{stack.etc}/nginx/nginx.conf",
                                             "-e", f"{stack.log}/nginx-error.log"], signal.SIGQUIT))
    return services


def wait_for(what, check, log, secs=READY_SECS):
    deadline = time.monotonic() + secs
    problem = None
    while time.monotonic() < deadline:
        try:
            if check():
                return
        except (OSError, subprocess.SubprocessError) as err:
            problem = err
        time.sleep(0.1)
    raise Failure(f"{what} did not answer within {secs} s ({problem}); look into {log}")


def postgres_answers(stack):
    return subprocess.run(["psql", "-XAtqc", "select 1", database_url(stack, "postgres")], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, check=False).returncode == 0


def redis_answers(stack):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(2)
        sock.connect(f"{stack.run}/redis.sock")
        sock.sendall(b"PING\r\n")
        return sock.recv(16).startswith(b"+PONG")


def acme_answers(stack):
    context = ssl.create_default_context(cafile=f"{stack.path('tls')}/root.pem")
    with urllib.request.urlopen(f"https://localhost:{stack.port}/ready", context=context, timeout=3) as answer:
        return answer.status == 200


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as text:
            return [int(child) for child in text.read().split()]
    except OSError:
        return []


def write_env(stack, services):
    pids = []
    for service in services:
        pids.append(service.process.pid)
        if service.name == "nginx":
            pids += children(service.process.pid)
    values = {
        "ACME_DIRECTORY": f"https://localhost:{stack.port}/directory",
        "ACME_CA_ROOT": f"{stack.path('tls')}/root.pem",
        "OCSP_URL": f"http://localhost:{stack.ocsp_port}",
        "ISSUER_ROOT": f"{stack.etc}/pki/root.pem",
        "PUBLIC_URL": f"http://localhost:{stack.public_port}",
        "HTTP01_PORT": str(stack.http01_port),
        "TLSALPN01_PORT": str(stack.tlsalpn01_port),
        "RESOLVER": stack.resolver,
        "DATABASE_URL": database_url(stack),
        "REDIS_SOCKET": f"{stack.run}/redis.sock",
        "PIDS": " ".join(str(pid) for pid in pids),
        "SUPERVISOR_PID": str(os.getpid()),
        "ASSAY_CONF": f"{stack.etc}/assay.conf",
        "ASSAYCTL": stack.program("assayctl"),
    }
    if stack.dns_port:
        values["DNS_CONTROL"] = f"http://127.0.0.1:{stack.dns_control_port}"
    for service in services:
        values["PID_" + service.name.replace("-", "_").upper()] = str(service.process.pid)
    text = "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())
    stack.write(text, "env.new")
    os.replace(stack.path("env.new"), stack.env_file)


def supervise(stack, ready, parent):
    """The supervisor's life: start everything, say so through the pipe `ready`, keep it alive until SIGTERM."""
    stopping = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    services = []
    try:
        services = data_services(stack)
        for service in services:
            service.start()
        wait_for("PostgreSQL", lambda: postgres_answers(stack), f"{stack.log}/postgresql.log")
        wait_for("Redis", lambda: redis_answers(stack), f"{stack.log}/redis.log")
        migrate(stack)
        more = program_services(stack)
        for service in more:
            service.start()
        services += more
        wait_for("the directory", lambda: acme_answers(stack), stack.log)
        write_env(stack, services)
        os.write(ready, b"ok")
        os.close(ready)
        ready = -1
        known_parent = os.getppid()
        nginx = next(s for s in services if s.name == "nginx")
        workers = children(nginx.process.pid)
        while not stopping:
            time.sleep(0.1)
            if parent and os.getppid() != known_parent and not os.path.exists(f"/proc/{parent}"):
                break
            if parent and not os.path.exists(f"/proc/{parent}"):
                break
            changed = any([service.poll() for service in services])
            now = children(nginx.process.pid)
            if changed or now != workers:
                workers = now
                write_env(stack, services)
    except Failure as err:
        if ready >= 0:
            os.write(ready, str(err).encode())
    finally:
        stop_services(services)
        try:
            os.remove(stack.env_file)
        except FileNotFoundError:
            pass


def stop_services(services):
    """Front to back, so that nothing loses what it still needs: nginx, programs, then the data services."""
    last = ("postgresql", "redis", "dns")
    for group in ([s for s in services if s.name == "nginx"],
                  [s for s in services if s.name != "nginx" and s.name not in last],
                  [s for s in services if s.name in last]):
        group = [s for s in group if s.process]
        for service in group:
            service.stop()
        deadline = time.monotonic() + 15
        for service in group:
            service.wait(deadline)


# --- commands --------------------------------------------------------------------------------------------------------


def alive(pid):
    return os.path.exists(f"/proc/{pid}")


def supervisor_pid(stack):
    try:
        pid = int(stack.read("run", "supervisor.pid"))
    except (FileNotFoundError, ValueError):
        return None
    return pid if alive(pid) else None


def settings_of(args):
    taken = {args.port, args.http01_port, args.tlsalpn01_port}
    if args.port and not port_is_free(args.port):
        raise Failure(f"--port {args.port} is in use: choose another")
    port = choose_port(args.port, 14000, taken)
    # Nobody listens on the validation ports until a client does: two stacks must not choose the same.
    step = 2 * (port - 14000) if 14000 <= port < 14500 else 0
    settings = {
        "programs": os.path.abspath(args.programs),
        "installed": os.path.abspath(args.installed or args.programs),
        "port": port,
        "public_port": choose_port(0, 14500 + (port - 14000 if 14000 <= port < 14500 else 0), taken),
        "http01_port": choose_port(args.http01_port, 5002 + step, taken),
        "tlsalpn01_port": choose_port(args.tlsalpn01_port, 5003 + step, taken),
        "ocsp_port": choose_port(0, 14500, taken),
        "nginx_includes": args.nginx_include,
        "processes": args.processes,
        "workers": args.workers,
        "nginx_workers": args.nginx_workers,
        "postgres_options": args.postgres_option,
        "program_env": dict(item.split("=", 1) for item in args.program_env),
        "conf_options": args.conf,
        "dns_port": 0,
        "dns_control_port": 0,
        "resolver": args.resolver,
    }
    if not args.resolver:
        settings["dns_port"] = choose_port(0, 5302, taken)
        settings["dns_control_port"] = choose_port(0, 5402, taken)
        settings["resolver"] = f"127.0.0.1:{settings['dns_port']}"
    return settings


def up(args):
    stack = Stack(args.dir)
    if os.path.isdir(stack.dir) and supervisor_pid(stack):
        raise Failure(f"{stack.dir}: a stack runs there already; stop it with ./dev stop --dir {stack.dir}")
    if os.path.exists(stack.path("pg")):
        if not os.path.exists(stack.settings_file):
            raise Failure(f"{stack.dir}: is not empty and holds no stack; choose another --dir")
        for part in ("run", "etc", "log", "pg", "redis", "tls", "offline", "public", "journal"):
            shutil.rmtree(stack.path(part), ignore_errors=True)
    for folder in (stack.dir, stack.run, stack.etc, stack.log):
        os.makedirs(folder, mode=0o700, exist_ok=True)
    stack.save(settings_of(args))
    say(f"folder {stack.dir}")
    make_tls(stack)
    say("TLS certificate of the server: made")
    make_assay(stack)
    say("offline root and online intermediate: made")
    make_postgres(stack)
    make_redis(stack)
    make_nginx(stack)
    say("PostgreSQL, Redis and nginx: set up; starting everything")
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.close(reader)
        os.setsid()
        log = os.open(f"{stack.log}/supervisor.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        stack.write(str(os.getpid()), "run", "supervisor.pid")
        code = 1
        try:
            supervise(stack, writer, args.parent)
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader, "rb") as answer:
        said = answer.read().decode()
    if said != "ok":
        raise Failure(said or f"the supervisor died; look into {stack.log}/supervisor.log")
    say(f"running: {len(stack_env(stack)['PIDS'].split())} processes, directory {stack_env(stack)['ACME_DIRECTORY']}")


def stack_env(stack):
    with open(stack.env_file, encoding="utf-8") as text:
        return dict(line.rstrip("\n").split("=", 1) for line in shlex.split(text.read()))


def down(args):
    stack = Stack(args.dir)
    stack.load()
    pid = supervisor_pid(stack)
    if pid is None:
        raise Failure(f"{stack.dir}: no stack runs there")
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 60
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    if alive(pid):
        raise Failure(f"supervisor {pid} did not stop within 60 s; look into {stack.log}/supervisor.log")
    say(f"stopped: {stack.dir}")


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    start = commands.add_parser("up")
    start.add_argument("--dir", required=True)
    start.add_argument("--programs", required=True, help="prefix below which the programs are installed")
    start.add_argument("--installed", help="DESTDIR of the installation, when it differs from the prefix's parent")
    start.add_argument("--resolver", help="HOST:PORT; default: a DNS server of our own that says 127.0.0.1")
    start.add_argument("--port", type=int, default=0)
    start.add_argument("--http01-port", type=int, default=0)
    start.add_argument("--tlsalpn01-port", type=int, default=0)
    start.add_argument("--processes", type=int, default=2, help="processes of each handler")
    start.add_argument("--workers", type=int, default=2, help="validators and signers")
    start.add_argument("--nginx-include", action="append", default=[], metavar="FILE", help="more for nginx's http block")
    start.add_argument("--nginx-workers", type=int, default=2)
    start.add_argument("--postgres-option", action="append", default=[], metavar="LINE")
    start.add_argument("--program-env", action="append", default=[], metavar="NAME=VALUE")
    start.add_argument("--conf", action="append", default=[], metavar="SECTION.KEY=VALUE")
    start.add_argument("--parent", type=int, default=0, help="stop when this process is gone")
    stop = commands.add_parser("down")
    stop.add_argument("--dir", required=True)
    return parser.parse_args()


def main():
    args = options()
    try:
        {"up": up, "down": down}[args.command](args)
    except Failure as err:
        print(f"error: {err}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
