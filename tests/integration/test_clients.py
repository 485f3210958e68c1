"""Real ACME clients, as Debian ships them, obtain certificates that verify; certbot renews and revokes."""

import functools
import http.server
import os
import shutil
import socket
import stat
import subprocess
import threading
import time
import uuid

import psycopg2
import pytest
from cryptography import x509


def fresh(prefix):
    return f"{prefix}-{uuid.uuid4().hex[:8]}.clients.test"


def run(command, cwd, env=None, timeout=120):
    done = subprocess.run(command, cwd=cwd, env={**os.environ, **(env or {})}, stdout=subprocess.PIPE, timeout=timeout,
                          stderr=subprocess.STDOUT, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout[-6000:]}"
    return done.stdout


def verify(stack, chain_pem, names):
    """openssl verify with the chain as the client stored it; then the names."""
    certificates = [c + "-----END CERTIFICATE-----\n" for c in chain_pem.split("-----END CERTIFICATE-----")[:-1]]
    assert len(certificates) >= 2, "the chain has the issuing certificate, too"
    folder = os.path.join("/tmp", f"assay-verify-{uuid.uuid4().hex}")
    os.mkdir(folder, 0o700)
    try:
        for name, text in (("leaf", certificates[0]), ("rest", "".join(certificates[1:]))):
            with open(f"{folder}/{name}.pem", "w", encoding="ascii") as out:
                out.write(text.lstrip())
        out = run(["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", stack["ISSUER_ROOT"], "-untrusted",
                   f"{folder}/rest.pem", f"{folder}/leaf.pem"], "/tmp")
        assert "OK" in out
    finally:
        shutil.rmtree(folder)
    leaf = x509.load_pem_x509_certificate(certificates[0].lstrip().encode())
    san = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert sorted(san.get_values_for_type(x509.DNSName)) == sorted(names)
    return leaf


def read(path):
    with open(path, encoding="ascii") as text:
        return text.read()


def script(path, text):
    with open(path, "w", encoding="utf-8") as out:
        out.write(text)
    os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)
    return str(path)


@pytest.fixture
def webroot(stack, tmp_path):
    """A web server on the http-01 port that serves tmp_path/web."""
    folder = tmp_path / "web"
    (folder / ".well-known" / "acme-challenge").mkdir(parents=True)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    http.server.ThreadingHTTPServer.allow_reuse_address = True
    server = http.server.ThreadingHTTPServer(("127.0.0.1", stack.http01_port),
                                             functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder
    server.shutdown()
    server.server_close()


def need(program):
    if not shutil.which(program):
        pytest.fail(f"{program} is not installed")


# --- certbot ---------------------------------------------------------------------------------------------------------


def certbot(stack, tmp_path, *args):
    need("certbot")
    return run(["certbot", *args, "--server", stack["ACME_DIRECTORY"], "--config-dir", tmp_path / "etc", "--work-dir",
                tmp_path / "work", "--logs-dir", tmp_path / "log", "--non-interactive"], tmp_path,
               {"REQUESTS_CA_BUNDLE": stack["ACME_CA_ROOT"]})


REGISTER = ("--agree-tos", "--register-unsafely-without-email")


def live(tmp_path, name):
    return read(tmp_path / "etc" / "live" / name / "fullchain.pem")


def test_certbot_standalone_then_renews_and_revokes(stack, tmp_path):
    name = fresh("certbot")
    certbot(stack, tmp_path, "certonly", "--standalone", "--http-01-port", str(stack.http01_port), "-d", name, *REGISTER)
    first = verify(stack, live(tmp_path, name), [name])
    certbot(stack, tmp_path, "renew", "--force-renewal", "--http-01-port", str(stack.http01_port), "--no-random-sleep-on-renew")
    second = verify(stack, live(tmp_path, name), [name])
    assert second.serial_number != first.serial_number
    certbot(stack, tmp_path, "revoke", "--cert-name", name, "--reason", "superseded", "--no-delete-after-revoke")
    with psycopg2.connect(stack["DATABASE_URL"]) as db, db.cursor() as cursor:
        cursor.execute("select revoked_at is not null, reason from assay.certificates where serial = %s",
                       (second.serial_number.to_bytes(18, "big"),))
        assert cursor.fetchone() == (True, 4)


def test_certbot_revokes_for_every_reason_and_by_the_certificates_key(stack, tmp_path, webroot):
    reasons = {"unspecified": 0, "affiliationchanged": 3, "superseded": 4, "cessationofoperation": 5, "keycompromise": 1}
    for reason, number in reasons.items():
        name = fresh("reason")
        certbot(stack, tmp_path, "certonly", "--webroot", "-w", str(webroot), *REGISTER, "-d", name)
        leaf = verify(stack, live(tmp_path, name), [name])
        folder = tmp_path / "etc" / "live" / name
        # Certbot signs with the account's key or with the certificate's.
        by = ["--cert-path", folder / "cert.pem", "--key-path", folder / "privkey.pem"] if number == 1 else ["--cert-name", name]
        certbot(stack, tmp_path, "revoke", *by, "--reason", reason, "--no-delete-after-revoke")
        with psycopg2.connect(stack["DATABASE_URL"]) as db, db.cursor() as cursor:
            cursor.execute("select c.reason, exists (select from assay.blocked_keys b where b.spki_sha256 = c.spki_sha256)"
                           " from assay.certificates c where serial = %s", (leaf.serial_number.to_bytes(18, "big"),))
            assert cursor.fetchone() == (number, number == 1)


def test_certbot_webroot_with_several_names(stack, tmp_path, webroot):
    names = [fresh("webroot") for _ in range(3)]
    certbot(stack, tmp_path, "certonly", "--webroot", "-w", str(webroot), *REGISTER, *[a for n in names for a in ("-d", n)])
    verify(stack, live(tmp_path, names[0]), names)


def test_certbot_dns_with_a_hook_for_a_wildcard(stack, tmp_path, dns):
    name = fresh("hook")
    hook = script(tmp_path / "auth", f"""#!/bin/sh
exec curl -sf -d "{{\\"host\\":\\"_acme-challenge.$CERTBOT_DOMAIN\\",\\"value\\":\\"$CERTBOT_VALIDATION\\"}}" {dns.control}/set-txt
""")
    certbot(stack, tmp_path, "certonly", "--manual", "--preferred-challenges", "dns", "--manual-auth-hook", hook, *REGISTER,
            "-d", name, "-d", f"*.{name}")
    verify(stack, live(tmp_path, name), [name, f"*.{name}"])


def test_certbot_with_an_rsa_key_and_one_hundred_names(stack, tmp_path, webroot):
    base = fresh("hundred")
    names = [f"n{i}.{base}" for i in range(100)]
    certbot(stack, tmp_path, "certonly", "--webroot", "-w", str(webroot), "--key-type", "rsa", *REGISTER, "--cert-name", base,
            "-d", ",".join(names))
    verify(stack, live(tmp_path, base), names)


# --- lego ------------------------------------------------------------------------------------------------------------


def lego(stack, tmp_path, name, *args, env=None, verb="run"):
    need("lego")
    run(["lego", "--server", stack["ACME_DIRECTORY"], "--accept-tos", "--email", "lego@clients.test", "--path", tmp_path,
         "--domains", name, *args, verb], tmp_path, {"LEGO_CA_CERTIFICATES": stack["ACME_CA_ROOT"], **(env or {})})
    return read(tmp_path / "certificates" / (name.replace("*", "_") + ".crt"))


def test_lego_http01(stack, tmp_path):
    name = fresh("lego-http")
    verify(stack, lego(stack, tmp_path, name, "--http", "--http.port", f"127.0.0.1:{stack.http01_port}"), [name])


def test_lego_tls_alpn01(stack, tmp_path):
    name = fresh("lego-alpn")
    verify(stack, lego(stack, tmp_path, name, "--tls", "--tls.port", f"127.0.0.1:{stack.tlsalpn01_port}"), [name])


def test_lego_dns01_wildcard(stack, tmp_path, dns):
    name = "*." + fresh("lego-dns")
    hook = script(tmp_path / "exec", f"""#!/bin/sh
test "$1" = present || exit 0
exec curl -sf -d "{{\\"host\\":\\"$2\\",\\"value\\":\\"$3\\"}}" {dns.control}/set-txt
""")
    chain = lego(stack, tmp_path, name, "--dns", "exec", "--dns.disable-cp", "--dns.resolvers", stack["RESOLVER"],
                 env={"EXEC_PATH": hook})
    verify(stack, chain, [name])


# --- small clients ---------------------------------------------------------------------------------------------------


def test_uacme(stack, tmp_path, webroot):
    need("uacme")
    name = fresh("uacme")
    hook = script(tmp_path / "hook", f"""#!/bin/sh
test "$2" = http-01 || exit 1
case $1 in
begin) printf %s "$5" > {webroot}/.well-known/acme-challenge/"$4" ;;
esac
""")
    env = {"SSL_CERT_FILE": stack["ACME_CA_ROOT"], "CURL_CA_BUNDLE": stack["ACME_CA_ROOT"]}
    base = ["uacme", "-v", "-y", "-c", tmp_path / "uacme", "-a", stack["ACME_DIRECTORY"]]
    trusting(stack, [*base, "new"], tmp_path, env)
    trusting(stack, [*base, "-h", hook, "issue", name], tmp_path, env)
    verify(stack, read(tmp_path / "uacme" / name / "cert.pem"), [name])


def trusting(stack, command, cwd, env):
    """For clients that only know the system's trust store: one of their own, in a mount namespace."""
    bundle = cwd / "bundle.pem"
    bundle.write_text(read(stack["ACME_CA_ROOT"]), encoding="ascii")
    unshare = ["unshare", "--mount"] if os.getuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    return run([*unshare, "sh", "-c", f'mount --bind {bundle} /etc/ssl/certs/ca-certificates.crt && exec "$@"', "sh",
                *map(str, command)], cwd, env)


def test_dehydrated(stack, tmp_path, webroot):
    need("dehydrated")
    name = fresh("dehydrated")
    config = tmp_path / "config"
    config.write_text(f"""CA="{stack['ACME_DIRECTORY']}"
BASEDIR="{tmp_path}"
WELLKNOWN="{webroot}/.well-known/acme-challenge"
CURL_OPTS="--cacert {stack['ACME_CA_ROOT']}"
OCSP_FETCH="no"
""", encoding="utf-8")
    run(["dehydrated", "--config", config, "--register", "--accept-terms"], tmp_path)
    run(["dehydrated", "--config", config, "--cron", "--domain", name], tmp_path)
    verify(stack, read(tmp_path / "certs" / name / "fullchain.pem"), [name])


def test_acme_tiny(stack, tmp_path, webroot):
    need("acme-tiny")
    name = fresh("tiny")
    run(["openssl", "genrsa", "-out", tmp_path / "account.key", "2048"], tmp_path)
    run(["openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", tmp_path / "name.key", "-subj", "/", "-addext",
         f"subjectAltName=DNS:{name}", "-out", tmp_path / "name.csr"], tmp_path)
    done = subprocess.run(["acme-tiny", "--account-key", tmp_path / "account.key", "--csr", tmp_path / "name.csr", "--acme-dir",
                           webroot / ".well-known" / "acme-challenge", "--directory-url", stack["ACME_DIRECTORY"],
                           "--disable-check"], env={**os.environ, "SSL_CERT_FILE": stack["ACME_CA_ROOT"]},
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    verify(stack, done.stdout, [name])


def test_caddy_as_a_client(stack, tmp_path):
    need("caddy")
    name = fresh("caddy")
    (tmp_path / "Caddyfile").write_text(f"""{{
	admin off
	acme_ca {stack['ACME_DIRECTORY']}
	acme_ca_root {stack['ACME_CA_ROOT']}
	http_port {stack.http01_port}
	https_port {stack.tlsalpn01_port}
	skip_install_trust
	email caddy@clients.test
}}
{name} {{
	respond "hello"
}}
""", encoding="utf-8")
    log = open(tmp_path / "caddy.log", "wb")
    env = {**os.environ, "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path / "data"), "XDG_CONFIG_HOME": str(tmp_path)}
    caddy = subprocess.Popen(["caddy", "run", "--config", "Caddyfile"], cwd=tmp_path, stdout=log, stderr=log, env=env)
    try:
        deadline = time.monotonic() + 60
        found = []
        while not found and time.monotonic() < deadline and caddy.poll() is None:
            time.sleep(0.2)
            found = list((tmp_path / "data").glob(f"caddy/certificates/*/{name}/{name}.crt"))
        assert found, (tmp_path / "caddy.log").read_text(encoding="utf-8")[-5000:]
        verify(stack, read(found[0]), [name])
        with socket.create_connection(("127.0.0.1", stack.tlsalpn01_port), 5):
            pass
    finally:
        caddy.terminate()
        caddy.wait(20)
        log.close()
