"""What validations meet: an http-01 web server and a tls-alpn-01 server, both scripted by host name.

    web = WebServer(port);  web.answers[name] = WebAnswer(...) or function(request path) -> WebAnswer
    tls = AlpnServer(port); tls.answers[name] = AlpnAnswer(...)

A name without an answer gets 404, or a closed connection. web.requests and tls.hellos tell what came, so that a test can
prove that nobody came. Names of tests are unique, so tests may share one server and run their waits at the same time.
"""

import datetime
import os
import shutil
import socket
import socketserver
import ssl
import struct
import tempfile
import threading
import time
import warnings
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

ACME_IDENTIFIER = "1.3.6.1.5.5.7.1.31"
HANG_MAX_SECS = 60


# --- http-01 ---------------------------------------------------------------------------------------------------------


@dataclass
class WebAnswer:
    body: bytes = b""
    status: int = 200
    location: str = ""
    delay: float = 0
    headers: dict = field(default_factory=dict)
    raw: bytes = None        # these bytes instead of an HTTP answer
    hang: bool = False       # accept, read, and say nothing
    drip: bool = False       # one byte a tenth of a second, without an end


class WebServer:
    """On 127.0.0.1, so also where 0.0.0.0 and ::ffff:127.0.0.1 lead: a broken address guard would show here."""

    def __init__(self, port):
        self.port, self.answers, self.requests = port, {}, []
        self.over = threading.Event()
        web = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *args):
                pass

            def do_GET(self):
                web.serve(self)

        ThreadingHTTPServer.daemon_threads = True
        ThreadingHTTPServer.request_queue_size = 256
        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def serve(self, handler):
        host = (handler.headers.get("Host") or "").rsplit(":", 1)[0]
        self.requests.append((host, handler.path, dict(handler.headers)))
        answer = self.answers.get(host, WebAnswer(status=404))
        if callable(answer):
            answer = answer(handler.path)
        handler.close_connection = True
        if answer.hang:
            self.over.wait(HANG_MAX_SECS)
            return
        self.over.wait(answer.delay)
        try:
            if answer.raw is not None:
                handler.wfile.write(answer.raw)
                return
            handler.send_response(answer.status)
            if answer.location:
                handler.send_header("Location", answer.location)
            for name, value in answer.headers.items():
                handler.send_header(name, value)
            if "Content-Length" not in answer.headers and not answer.drip:
                handler.send_header("Content-Length", str(len(answer.body)))
            handler.end_headers()
            handler.wfile.write(answer.body)
            while answer.drip and not self.over.wait(0.1):
                handler.wfile.write(b"x")
        except OSError:
            pass  # the validator had enough

    def paths(self, host):
        return [path for name, path, _ in self.requests if name == host]

    def close(self):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()


# --- tls-alpn-01 -----------------------------------------------------------------------------------------------------


@dataclass
class AlpnAnswer:
    digest: bytes = b""            # SHA-256 of the key authorization
    sans: tuple = None             # default: the name asked for
    oid: str = ACME_IDENTIFIER
    critical: bool = True
    content: bytes = None          # of the extension, instead of an OCTET STRING with digest
    extension: bool = True
    alpn: tuple = ("acme-tls/1",)
    tls: str = ""                  # "1.1": nothing newer
    hang: bool = False             # read the ClientHello and say nothing


def alpn_certificate(name, answer):
    """The certificate and its key, PEM, as RFC 8737 section 3 wants it or as badly as the answer says."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "challenge")])
    now = datetime.datetime.utcnow()
    builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
               .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(hours=1))
               .not_valid_after(now + datetime.timedelta(days=1)))
    sans = (name,) if answer.sans is None else answer.sans
    if sans:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([s if isinstance(s, x509.GeneralName) else x509.DNSName(s) for s in sans]), False)
    if answer.extension:
        content = bytes([4, len(answer.digest)]) + answer.digest if answer.content is None else answer.content
        builder = builder.add_extension(x509.UnrecognizedExtension(x509.ObjectIdentifier(answer.oid), content),
                                        answer.critical)
    certificate = builder.sign(key, hashes.SHA256())
    return certificate.public_bytes(serialization.Encoding.PEM), key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def server_name(hello):
    """SNI of a TLS record with a ClientHello, or None."""
    at = 5 + 4 + 2 + 32
    at += 1 + hello[at]
    at += 2 + struct.unpack_from("!H", hello, at)[0]
    at += 1 + hello[at]
    end = at + 2 + struct.unpack_from("!H", hello, at)[0]
    at += 2
    while at + 4 <= end:
        kind, length = struct.unpack_from("!HH", hello, at)
        if kind == 0:
            return hello[at + 9:at + 4 + length].decode("ascii")
        at += 4 + length
    return None


class AlpnServer:
    def __init__(self, port):
        self.port, self.answers, self.hellos = port, {}, []
        self.over = threading.Event()
        self.folder = tempfile.mkdtemp(prefix="assay-alpn-")
        tls = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                try:
                    tls.serve(self.request)
                except (OSError, struct.error, IndexError):
                    pass  # whatever the validator did: what it makes of it is the test

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True
            request_queue_size = 256

        self.server = Server(("127.0.0.1", port), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def serve(self, sock):
        sock.settimeout(10)
        head = sock.recv(5, socket.MSG_PEEK | socket.MSG_WAITALL)
        length = 5 + struct.unpack_from("!H", head, 3)[0]
        name = server_name(sock.recv(length, socket.MSG_PEEK | socket.MSG_WAITALL))
        self.hellos.append(name)
        answer = self.answers.get(name)
        if answer is None:
            return
        if answer.hang:
            self.over.wait(HANG_MAX_SECS)
            return
        with self.context(name, answer).wrap_socket(sock, server_side=True) as secured:
            secured.recv(1)  # until the validator closes

    def context(self, name, answer):
        certificate, key = alpn_certificate(name, answer)
        descriptor, path = tempfile.mkstemp(dir=self.folder)
        with os.fdopen(descriptor, "wb") as out:
            out.write(certificate + key)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        os.unlink(path)
        if answer.alpn:
            context.set_alpn_protocols(list(answer.alpn))
        if answer.tls == "1.1":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                context.set_ciphers("ALL:@SECLEVEL=0")
                context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
        return context

    def close(self):
        self.over.set()
        self.server.shutdown()
        self.server.server_close()
        shutil.rmtree(self.folder)


def until(check, secs=10, pause=0.05):
    """check()'s first true answer, or its last one."""
    deadline = time.monotonic() + secs
    while True:
        answer = check()
        if answer or time.monotonic() > deadline:
            return answer
        time.sleep(pause)
