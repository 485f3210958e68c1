#!/usr/bin/python3
"""OCSP responses a second through nginx, against a static file of the same size from the same nginx, in one run.

    ocsp.py --env FILE --static PORT --root FOLDER [--certificates N] [--connections N] [--seconds S] [--json FILE]

--env names a running assay stack (its FILE/env) whose nginx serves FOLDER at PORT. Rows of N certificates with a stored response each
are put into its database. Then wrk asks for
    static   a file as large as a response
    cached   few certificates again and again, by GET: nginx answers nearly all
    posted   the same by POST
    stored   all certificates in turn, each longer apart than nginx keeps it: handler and PostgreSQL answer
    signed   one certificate with a nonce, by POST: each is signed (live_rate bounds it: see [ocsp])
Cost is CPU time of all server processes (nginx, handlers, workers, PostgreSQL, Redis) a response, in microseconds.
"""

import argparse
import base64
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.request

from compare import cpu_seconds, read_env

HOT = 100
SHA1 = bytes.fromhex("300906052b0e03021a0500")
# The size of a response of a P-256 responder with its certificate.
RESPONSE_BYTES = 1000

# A row as the signer would have written it; triggers are not asked, as there is no order.
ROWS = f"""
SET session_replication_role = replica;
CREATE TEMPORARY TABLE made AS SELECT decode('40' || lpad(to_hex(extract(epoch FROM now())::bigint), 8, '0')
	|| substr(encode(sha256(n::text::bytea), 'hex'), 1, 26), 'hex') AS serial FROM generate_series(1, :count) n;
INSERT INTO assay.certificates (serial, order_id, account_id, not_before, not_after, issued_at, issuer, spki_sha256, names, der)
	SELECT serial, gen_random_uuid(), gen_random_uuid(), now(), now() + interval '90 days', now(), :issuer, sha256(serial),
		ARRAY[encode(serial, 'hex') || '.test'], '\\x3000' FROM made;
INSERT INTO assay.ocsp_responses (serial, issuer, this_update, next_update, refresh_at, response)
	SELECT serial, :issuer, now(), now() + interval '4 days', now() + interval '2 days',
		decode(repeat(encode(sha256(serial), 'hex'), {RESPONSE_BYTES // 32}), 'hex') FROM made;
ANALYZE assay.certificates, assay.ocsp_responses;
COPY (SELECT encode(serial, 'hex') FROM made) TO STDOUT;
"""

GET_LUA = """
local requests, at = {}, 0
init = function(args)
	for path in io.lines(args[1]) do requests[#requests + 1] = wrk.format("GET", path) end
end
request = function() at = at % #requests + 1 return requests[at] end
"""
POST_LUA = """
local bodies, at, nonce, random = {}, 0, false, nil
local function unhex(text) return (text:gsub("%x%x", function(pair) return string.char(tonumber(pair, 16)) end)) end
init = function(args)
	for line in io.lines(args[1]) do bodies[#bodies + 1] = unhex(line) end
	nonce, random = args[2] == "nonce", io.open("/dev/urandom", "rb")
	wrk.headers["Content-Type"] = "application/ocsp-request"
end
request = function()
	at = at % #bodies + 1
	return wrk.format("POST", "/", nil, nonce and bodies[at]:sub(1, -17) .. random:read(16) or bodies[at])
end
"""


def der(tag, *parts):
    content = b"".join(parts)
    return bytes([tag, len(content)]) + content if len(content) < 128 else bytes([tag, 0x81, len(content)]) + content


def spki_bits(certificate):
    """The issuing certificate's name and key, as a CertID hashes them: by OpenSSL, from a request that it makes."""
    with tempfile.NamedTemporaryFile() as out:
        subprocess.run(["openssl", "ocsp", "-issuer", certificate, "-serial", "1", "-no_nonce", "-reqout", out.name], check=True)
        request = out.read()
    at = request.index(SHA1) + len(SHA1)
    return request[at + 2:at + 22], request[at + 24:at + 44]


def make_request(issuer, serial, nonce=False):
    name, key = issuer
    one = der(0x30, der(0x30, SHA1, der(4, name), der(4, key), der(2, serial)))
    extension = der(0xa2, der(0x30, der(0x30, bytes.fromhex("06092b0601050507300102"), der(4, der(4, bytes(16))))))
    return der(0x30, der(0x30, der(0x30, one), extension if nonce else b""))


def fill(env, folder, count):
    """Rows in the database; their serials."""
    number, sha256 = subprocess.run(
        ["psql", "-XAtq", "-F", " ", env["DATABASE_URL"], "-c", "SELECT id, encode(sha256, 'hex') FROM assay.issuers ORDER BY id"],
        capture_output=True, text=True, check=True).stdout.split()[:2]
    issuer = os.path.join(os.path.dirname(env["ASSAY_CONF"]), "pki", "issuer.pem")
    found = subprocess.run(["openssl", "x509", "-in", issuer, "-outform", "DER"], capture_output=True, check=True).stdout
    assert hashlib.sha256(found).hexdigest() == sha256, "the stack has more than one issuer"
    script = os.path.join(folder, "rows.sql")
    with open(script, "w", encoding="ascii") as out:
        out.write(ROWS)
    done = subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-v", f"count={count}", "-v", f"issuer={number}", "-f", script,
                           env["DATABASE_URL"]], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"rows could not be made: {done.stderr}")
    return issuer, [bytes.fromhex(line) for line in done.stdout.split()]


def fetch(url, body=None):
    request = urllib.request.Request(url, body, {"Content-Type": "application/ocsp-request"} if body else {})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.read()


class Run:
    def __init__(self, args, roots, folder):
        self.args, self.roots, self.folder = args, roots, folder

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="ascii") as out:
            out.write(text)
        return path

    def __call__(self, name, url, lua, *words):
        script = self.write(f"{name}.lua", lua)
        command = ["wrk", "-t", "1", "-c", str(self.args.connections), "--latency", "-s", script]
        subprocess.run([*command, "-d", "1s", url, "--", *words], capture_output=True, check=True)
        before = cpu_seconds(self.roots)
        said = subprocess.run([*command, "-d", f"{self.args.seconds}s", url, "--", *words], capture_output=True, text=True,
                              check=True).stdout
        cpu = cpu_seconds(self.roots) - before
        count, seconds = re.search(r"(\d+) requests in ([\d.]+)s", said).groups()
        bad = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
        lost = re.search(r"Socket errors: (.*)", said)
        row = {"what": name, "responses": int(count), "rate": int(count) / float(seconds), "cpu_us": 1e6 * cpu / max(1, int(count)),
               "p99": re.search(r"99%\s+(\S+)", said).group(1), "refused": int(bad.group(1)) if bad else 0,
               "errors": lost.group(1) if lost else ""}
        print(f"{name:8} {row['rate']:9.0f}/s  {row['cpu_us']:7.1f} us  p99 {row['p99']:>9}  refused {row['refused']}  {row['errors']}",
              flush=True)
        return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--env", required=True)
    parser.add_argument("--static", type=int, required=True)
    parser.add_argument("--root", required=True)
    parser.add_argument("--certificates", type=int, default=100000)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--json")
    args = parser.parse_args()
    env = read_env(args.env)
    with tempfile.TemporaryDirectory() as folder:
        issuer_file, serials = fill(env, folder, args.certificates)
        issuer = spki_bits(issuer_file)
        requests = [make_request(issuer, serial) for serial in serials]
        paths = ["/" + base64.b64encode(request).decode().replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
                 for request in requests]
        url = env["OCSP_URL"]
        stored = fetch(url + paths[0])
        assert stored == hashlib.sha256(serials[0]).digest() * (RESPONSE_BYTES // 32) and fetch(url, requests[0]) == stored
        with open(os.path.join(args.root, "static"), "wb") as out:
            out.write(stored)
        signed = fetch(url, make_request(issuer, serials[0], nonce=True))
        signs = bytes.fromhex("06092b0601050507300102") in signed

        run = Run(args, [int(env["SUPERVISOR_PID"])], folder)
        hot = run.write("hot", "\n".join(paths[:HOT]) + "\n")
        posted = run.write("posted", "\n".join(request.hex() for request in requests[:HOT]) + "\n")
        every = run.write("every", "\n".join(paths) + "\n")
        nonce = run.write("nonce", make_request(issuer, serials[0], nonce=True).hex() + "\n")
        static = run.write("static", "/static\n")
        rows = [run("static", f"http://127.0.0.1:{args.static}", GET_LUA, static), run("cached", url, GET_LUA, hot),
                run("posted", url, POST_LUA, posted), run("stored", url, GET_LUA, every)]
        if signs:
            rows.append(run("signed", url, POST_LUA, nonce, "nonce"))
        else:
            print("signed   not measured: a request with a nonce was not answered with one")
    if args.json:
        with open(args.json, "w", encoding="utf-8") as out:
            json.dump(rows, out, indent=1)
    return 1 if any(row["refused"] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
