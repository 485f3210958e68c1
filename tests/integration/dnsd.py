#!/usr/bin/python3
"""A DNS server that a test controls: UDP and TCP on loopback, with an HTTP interface to change what it says.

Every name has the default addresses until told otherwise. The HTTP interface takes the JSON bodies of Pebble's
challenge test server (POST /set-txt {"host": …, "value": …} and so on), so that clients' hooks can use either.
It is no resolver: what it does not know is an empty answer.
"""

import argparse
import json
import os
import socketserver
import struct
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

TTL = 1


def canonical(host):
    return host.lower().rstrip(".") + "."


class Zone:
    """What the server says. All access under one lock."""

    def __init__(self, a, aaaa):
        self.lock = threading.Lock()
        self.default = {"A": a, "AAAA": aaaa}
        self.records = {}  # (name, type) -> list of texts
        self.cname = {}
        self.rcodes = {}  # name -> rcode
        self.delays = {}  # name -> seconds before the answer; negative: no answer at all
        self.history = []

    def answer(self, query):
        question = query.question[0]
        name = question.name.to_text().lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.AA | dns.flags.RA
        with self.lock:
            self.history.append({"name": name, "type": kind})
            del self.history[:-10000]
            for _ in range(10):
                if name in self.rcodes:
                    reply.set_rcode(self.rcodes[name])
                    return reply
                target = self.cname.get(name)
                if target is None:
                    break
                reply.answer.append(rrset(name, "CNAME", [target]))
                name = target
            texts = self.records.get((name, kind))
            if texts is None:
                texts = self.default.get(kind, [])
            if texts:
                reply.answer.append(rrset(name, kind, texts))
        return reply

    def delay(self, query):
        with self.lock:
            return self.delays.get(query.question[0].name.to_text().lower(), 0)


def rrset(name, kind, texts):
    return dns.rrset.from_text(dns.name.from_text(name), TTL, "IN", kind, *texts)


def quote(value):
    """A TXT value as presentation format: character-strings of at most 255 bytes."""
    parts = [value[i : i + 255] for i in range(0, len(value), 255)] or [""]
    return " ".join('"' + p.replace("\\", "\\\\").replace('"', '\\"') + '"' for p in parts)


def serve_query(zone, wire):
    try:
        query = dns.message.from_wire(wire)
        if not query.question:
            return None
    except Exception:  # junk on the wire gets no answer
        return None
    wait = zone.delay(query)
    if wait < 0:
        return None
    if wait:
        time.sleep(wait)
    return query, zone.answer(query)


class Udp(socketserver.BaseRequestHandler):
    def handle(self):
        wire, sock = self.request
        result = serve_query(self.server.zone, wire)
        if result is None:
            return
        query, reply = result
        size = max(512, query.payload if query.edns >= 0 else 512)
        out = reply.to_wire(max_size=65535)
        if len(out) > size:
            short = dns.message.make_response(query)
            short.flags |= dns.flags.TC
            out = short.to_wire()
        sock.sendto(out, self.client_address)


class Tcp(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.settimeout(5)
        head = self.request.recv(2, 0x100)  # MSG_WAITALL
        if len(head) < 2:
            return
        (length,) = struct.unpack("!H", head)
        result = serve_query(self.server.zone, self.request.recv(length, 0x100))
        if result is None:
            return
        out = result[1].to_wire(max_size=65535)
        self.request.sendall(struct.pack("!H", len(out)) + out)


class Control(BaseHTTPRequestHandler):
    """POST only; the body is a JSON object, "host" names the record's owner."""

    def log_message(self, *args):
        pass

    def do_POST(self):
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length) or b"{}")
        zone = self.server.zone
        host = canonical(body["host"]) if body.get("host") else None
        out = b""
        path = self.path.strip("/")
        with zone.lock:
            if path == "set-txt":
                zone.records.setdefault((host, "TXT"), []).append(quote(body["value"]))
            elif path == "add-a":
                zone.records[(host, "A")] = list(body["addresses"])
            elif path == "add-aaaa":
                zone.records[(host, "AAAA")] = list(body["addresses"])
            elif path == "add-caa":
                zone.records[(host, "CAA")] = [
                    f'{p.get("flags", 0)} {p["tag"]} "{p["value"]}"' for p in body["policies"]
                ]
            elif path in ("clear-txt", "clear-a", "clear-aaaa", "clear-caa"):
                zone.records.pop((host, path.split("-")[1].upper()), None)
            elif path == "set-cname":
                zone.cname[host] = canonical(body["target"])
            elif path == "clear-cname":
                zone.cname.pop(host, None)
            elif path == "set-servfail":
                zone.rcodes[host] = dns.rcode.SERVFAIL
            elif path == "set-nxdomain":
                zone.rcodes[host] = dns.rcode.NXDOMAIN
            elif path in ("clear-servfail", "clear-nxdomain"):
                zone.rcodes.pop(host, None)
            elif path == "set-delay":
                zone.delays[host] = float(body["seconds"])
            elif path == "clear-delay":
                zone.delays.pop(host, None)
            elif path == "dns-request-history":
                out = json.dumps([h for h in zone.history if host in (None, h["name"])]).encode()
            elif path == "clear-request-history":
                zone.history = [h for h in zone.history if host not in (None, h["name"])]
            else:
                self.send_error(404)
                return
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(out)))
        self.end_headers()
        self.wfile.write(out)


class UdpServer(socketserver.ThreadingUDPServer):
    daemon_threads = True
    max_packet_size = 65535


class TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 256


class ControlServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--control-port", type=int, required=True)
    parser.add_argument("--a", nargs="*", default=["127.0.0.1"], help="addresses of every name")
    parser.add_argument("--aaaa", nargs="*", default=[])
    args = parser.parse_args()
    zone = Zone(args.a, args.aaaa)
    servers = [
        UdpServer((args.address, args.port), Udp),
        TcpServer((args.address, args.port), Tcp),
        ControlServer((args.address, args.control_port), Control),
    ]
    for server in servers:
        server.zone = zone
        threading.Thread(target=server.serve_forever, daemon=True).start()
    # The parent's end is ours: nothing stays behind when a stack is killed.
    parent = os.getppid()
    while os.getppid() == parent:
        time.sleep(1)


if __name__ == "__main__":
    main()
