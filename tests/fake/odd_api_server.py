#!/usr/bin/env python3
"""A TLS server that stands where an API server should, and behaves as the first segment of each path says, for tests of the tools that speak to
one. Usage: odd_api_server.py CERT KEY CA LOG. It prints its port, and appends "<method> <path> <client's name> <authorization>" to LOG."""
import http.server
import json
import ssl
import sys

cert, key, ca, log = sys.argv[1:5]
KEY = "A" * 43


def status(code, reason, message):
    return code, json.dumps({"kind": "Status", "status": "Failure", "reason": reason, "message": message}).encode()


def keys(allowed, version="1"):
    return 200, json.dumps({"metadata": {"resourceVersion": version}, "data": {"allowed": allowed}, "real": 1.5}).encode()


ANSWERS = {
    "good": lambda method: keys(KEY),
    "html": lambda method: (200, b"<html>log in here</html>"),
    "twice": lambda method: (200, b'{"metadata":{"resourceVersion":"1"},"data":{"allowed":"x"},"data":{"allowed":"' + KEY.encode() + b'"}}'),
    "list": lambda method: (200, b"[]"),
    "number": lambda method: (200, b'{"metadata":{"resourceVersion":7},"data":{"allowed":"x"}}'),
    "deep": lambda method: (200, b"[" * 100000),
    "escape": lambda method: status(403, "Forbidden", "\u001b[2J\u0007gone \u202e"),
    "conflict": lambda method: keys("") if method == "GET" else status(409, "Conflict", "the object has been modified"),
    "liar": lambda method: keys("") if method == "GET" else keys(KEY),
    "words": lambda method: keys("one;reboot " + KEY),
}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        peer = self.connection.getpeercert() or {}
        name = dict(pair for part in peer.get("subject", ()) for pair in part).get("commonName", "-")
        with open(log, "a", encoding="utf-8") as out:
            out.write(f"{self.command} {self.path} {name} {self.headers.get('Authorization', '-')}\n")
        mode = self.path.split("/")[1]
        if mode == "redirect":
            self.send_response(302)
            self.send_header("Location", self.path.replace("/redirect/", "/good/"))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        code, body = (200, b'{"x":"' + b"y" * (17 << 20) + b'"}') if mode == "large" else ANSWERS[mode](self.command)
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            pass

    do_GET = do_PATCH = answer


context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)
context.load_verify_locations(ca)
context.verify_mode = ssl.CERT_OPTIONAL
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
