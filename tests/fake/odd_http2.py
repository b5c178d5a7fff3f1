#!/usr/bin/env python3
"""An HTTP/2 server that behaves as the path of each request says, for tests of the call engine: what no real server does when it is
asked to. Usage: odd_http2.py CERT KEY LOG [STREAMS [ANSWERS]]. It prints its port, and appends a line to LOG for each request that
came whole: "<method> <path> <bytes of body> <connection> <stream> <Audit-ID> <how authorization was written>"; the last is "never" for
RFC 7541 section 6.2.3 (never indexed), "once" for 6.2.2, "indexed" for 6.2.1. STREAMS: how many streams a connection may have at once.
ANSWERS: a JSON file, "<method> <path>" to [status, body] or to a path here, as which it behaves; each request's body is then appended
to LOG.bodies, one a line."""
import itertools
import json
import socket
import ssl
import sys
import threading
import time

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, RequestReceived, StreamEnded, WindowUpdated
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes
from hpack import NeverIndexedHeaderTuple
import h2.settings

cert, key, log = sys.argv[1:4]
streams = int(sys.argv[4]) if len(sys.argv) > 4 else 128
answers = json.load(open(sys.argv[5], encoding="utf-8")) if len(sys.argv) > 5 else None
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)
context.set_alpn_protocols(["h2"])
numbers = itertools.count(1)

# Status, headers, body.
ANSWERS = {
    "/tag": (200, [("etag", '"t"')], b"hello"),
    "/tags": (200, [("etag", '"a"'), ("etag", '"b"')], b"hello"),
    "/odd-tag": (200, [("etag", '"\u00e9"')], b"hello"),
    "/redirect": (302, [("location", "/tag")], b""),
    "/again": (401, [("www-authenticate", 'Basic realm="x"')], b""),
    "/many": (429, [("retry-after", "0")], b"hello"),
    "/busy": (503, [("retry-after", "0")], b""),
    "/misdirected": (421, [], b""),
    "/nothing": (204, [], None),
    "/no-length": (200, [], b"hello"),
    "/limit": (200, [], b"x" * 100000),
    "/large": (200, [], b"x" * 100001),
    "/heads": (200, [("x-" + str(i), "y" * 1000) for i in range(80)], b"hello"),
}


def how_written(headers):
    """libnghttp2 writes a literal of authorization as never indexed; hpack says only that."""
    for header in headers:
        if header[0] in (b"authorization", "authorization"):
            return "never" if isinstance(header, NeverIndexedHeaderTuple) else "once" if not header.indexable else "indexed"
    return "-"


class Connection:
    def __init__(self, sock):
        self.sock, self.number, self.seen = sock, next(numbers), {}
        self.h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8", validate_outbound_headers=False))
        self.h2.local_settings = h2.settings.Settings(client=False, initial_values={SettingCodes.MAX_CONCURRENT_STREAMS: streams})
        self.h2.initiate_connection()
        self.waiting = []  # what a window was too small for: stream, rest
        self.flush()

    def flush(self):
        self.sock.sendall(self.h2.data_to_send())

    def body(self, stream, rest):
        n = min(self.h2.local_flow_control_window(stream), len(rest))
        for at in range(0, n, 16384):
            self.h2.send_data(stream, rest[at:min(at + 16384, n)])
        if n < len(rest):
            self.waiting.append((stream, rest[n:]))
        else:
            self.h2.end_stream(stream)

    def answer(self, stream, path):
        status, headers, body = ANSWERS.get(path, (200, [], b"hello"))
        length = [] if body is None or path == "/no-length" else [("content-length", str(len(body)))]
        self.h2.send_headers(stream, [(":status", str(status)), *length, *headers], end_stream=body is None)
        if body is not None:
            self.body(stream, body)

    def odd(self, stream, path):
        """True: the path is one of these. None: and the connection ends."""
        if path == "/refused":
            self.h2.reset_stream(stream, ErrorCodes.REFUSED_STREAM)
        elif path == "/http-1.1":
            self.h2.reset_stream(stream, ErrorCodes.HTTP_1_1_REQUIRED)
        elif path == "/reset":
            self.h2.send_headers(stream, [(":status", "200")])
            self.h2.send_data(stream, b"hel")
            self.h2.reset_stream(stream, ErrorCodes.INTERNAL_ERROR)
        elif path == "/reset-softly":  # RFC 9113 section 8.1 lets a server do so after a whole answer alone
            self.h2.send_headers(stream, [(":status", "200")])
            self.h2.send_data(stream, b"hel")
            self.h2.reset_stream(stream, ErrorCodes.NO_ERROR)
        elif path == "/half":
            self.h2.send_headers(stream, [(":status", "200"), ("content-length", "100")])
            self.h2.send_data(stream, b"hello", end_stream=True)
        elif path in ("/cut", "/cut-head", "/gone") or (path.startswith("/kept-then-gone") and self.number_of(stream) > 1):
            if path in ("/cut", "/cut-head"):
                self.h2.send_headers(stream, [(":status", "200")])
            if path == "/cut":
                self.h2.send_data(stream, b"hel")
            self.flush()
            return None
        elif path == "/goaway" or (path.startswith("/kept-then-goaway") and self.number_of(stream) > 1):
            self.h2.close_connection(ErrorCodes.NO_ERROR, last_stream_id=max(0, stream - 2))
            self.flush()
            time.sleep(0.3)  # the client closes first
            return None
        elif path == "/goaway-and-answer":  # RFC 9113 section 6.8: what is under way is still answered
            self.answer(stream, path)
            self.flush()
            self.sock.sendall(bytes.fromhex("0000080700" "00000000") + stream.to_bytes(4, "big") + bytes(4))
        elif path == "/interim":
            self.h2.send_headers(stream, [(":status", "103"), ("etag", '"early"')])
            self.answer(stream, path)
        elif path == "/hang":
            pass
        else:
            return False
        return True

    def number_of(self, stream):
        return (stream + 1) // 2

    def note(self, fields, headers, body, stream):
        how = how_written(headers)
        with open(log, "a", encoding="ascii") as out:
            out.write(f"{fields[':method']} {fields[':path']} {len(body)} {self.number} {stream} {fields.get('audit-id', '-')} {how}\n")
        if answers is not None:
            with open(log + ".bodies", "ab") as out:
                out.write(body + b"\n")

    def ended(self, stream):
        headers, body = self.seen.pop(stream)
        fields = dict(headers)
        path = fields[":path"]
        self.note(fields, headers, body, stream)
        if answers is not None:
            path = answers.get(f"{fields[':method']} {path}", "/none")
        if isinstance(path, list):
            self.h2.send_headers(stream, [(":status", str(path[0])), ("content-type", "application/json")])
            self.body(stream, path[1].encode())
            return True
        done = self.odd(stream, path)
        if done is False:
            self.answer(stream, path)
        return done is not None

    def take(self, event):
        if isinstance(event, RequestReceived):
            self.seen[event.stream_id] = [event.headers, b""]
        elif isinstance(event, DataReceived):
            self.seen[event.stream_id][1] += event.data
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, StreamEnded):
            return self.ended(event.stream_id)
        elif isinstance(event, WindowUpdated):
            waiting, self.waiting = self.waiting, []
            for stream, rest in waiting:
                self.body(stream, rest)
        return True

    def run(self):
        while data := self.sock.recv(65536):
            if not all([self.take(event) for event in self.h2.receive_data(data)]):
                return
            self.flush()


def serve(plain):
    try:
        with context.wrap_socket(plain, server_side=True) as sock:
            Connection(sock).run()
    except (OSError, ssl.SSLError, ProtocolError):
        pass


listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
