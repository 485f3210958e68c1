"""A web server's side of FastCGI, for tests: kept connections to a Unix socket, one request at a time each."""

import json
import socket
import struct

BEGIN_REQUEST, END_REQUEST, PARAMS, STDIN, STDOUT, STDERR = 1, 3, 4, 5, 6, 7


def record(kind, content=b""):
    return struct.pack(">BBHHBB", 1, kind, 1, len(content), 0, 0) + content


def stream(kind, content):
    parts = [record(kind, content[at:at + 32768]) for at in range(0, len(content), 32768)]
    return b"".join(parts) + record(kind)


def pair(name, value):
    def length(text):
        return bytes([len(text)]) if len(text) < 128 else struct.pack(">I", len(text) | 0x80000000)

    name, value = name.encode(), value.encode("latin-1")
    return length(name) + length(value) + name + value


class Answer:
    """One parsed answer: status, header fields (lower-case names, all values), body."""

    def __init__(self, raw):
        head, _, self.body = raw.partition(b"\r\n\r\n")
        self.headers = {}
        for line in head.decode("latin-1").split("\r\n"):
            name, _, value = line.partition(": ")
            self.headers.setdefault(name.lower(), []).append(value)
        self.status = int(self["status"].split()[0])

    def __getitem__(self, name):
        values = self.headers.get(name.lower(), [])
        assert len(values) <= 1, f"{name} was sent {len(values)} times"
        return values[0] if values else None

    @property
    def nonce(self):
        return self["Replay-Nonce"]

    def json(self):
        return json.loads(self.body)

    @property
    def problem(self):
        """The problem's type without its prefix; checks that the document is one."""
        assert self["Content-Type"] == "application/problem+json"
        document = self.json()
        assert document["status"] == self.status
        prefix = "urn:ietf:params:acme:error:"
        assert document["type"].startswith(prefix)
        return document["type"][len(prefix):]


class Connection:
    """A connection that is kept until it is closed by either side."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(15)
        self.sock.connect(path)

    def close(self):
        self.sock.close()

    def send(self, method, uri, body=b"", content_type="application/jose+json", **params):
        fields = {"REQUEST_METHOD": method, "REQUEST_URI": uri, "CONTENT_TYPE": content_type if body else "",
                  "CONTENT_LENGTH": str(len(body)) if body else "", "HTTP_USER_AGENT": "assay-test/1", **params}
        encoded = b"".join(pair(name, value) for name, value in fields.items() if value is not None)
        begin = record(BEGIN_REQUEST, struct.pack(">HB5x", 1, 1))
        self.sock.sendall(begin + stream(PARAMS, encoded) + stream(STDIN, body))

    def receive(self):
        out = b""
        while True:
            header = self._exactly(8)
            _, kind, _, length, padding, _ = struct.unpack(">BBHHBB", header)
            content = self._exactly(length + padding)[:length]
            if kind == STDOUT:
                out += content
            elif kind == END_REQUEST:
                return Answer(out)

    def __call__(self, *args, **kwargs):
        self.send(*args, **kwargs)
        return self.receive()

    def _exactly(self, count):
        data = b""
        while len(data) < count:
            chunk = self.sock.recv(count - len(data))
            if not chunk:
                raise ConnectionError("the connection was closed")
            data += chunk
        return data
