#!/usr/bin/env python3
"""A TLS server that behaves as the path of each request says, for tests of the call engine: what no real server does when it is
asked to. Usage: odd_server.py CERT KEY LOG. It prints its port, and appends "<method> <path>" to LOG for each request that came whole."""
import socket
import ssl
import sys
import threading
import time

cert, key, log = sys.argv[1:4]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)


def request_of(f):
    line = f.readline().decode("latin-1").split()
    if len(line) != 3:
        return None
    length = 0
    while (header := f.readline().strip()) != b"":
        name, _, value = header.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    body = f.read(length)
    with open(log, "a", encoding="ascii") as out:
        out.write(f"{line[0]} {line[1]} {len(body)}\n")
    return line[1]


def whole(body=b"hello", status="200 OK", headers=()):
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


# What is sent for a path; a path that isn't here is answered with "hello".
ANSWERS = {
    "/tag": whole(headers=['ETag: "t"']),
    "/weak": whole(headers=['ETag: W/"t"']),
    "/tags": whole(headers=['ETag: "a"', 'etag: "b"']),
    "/long-tag": whole(headers=['ETag: "' + "x" * 300 + '"']),
    "/odd-tag": whole(headers=['ETag: "\u00e9"']),
    "/interim": b'HTTP/1.1 103 Early Hints\r\nETag: "early"\r\n\r\n' + whole(),
    "/redirect": whole(b"", "302 Found", ["Location: /tag"]),
    "/again": whole(b"", "401 Unauthorized", ['WWW-Authenticate: Basic realm="x"']),
    "/busy": whole(b"", "503 Service Unavailable", ["Retry-After: 0"]),
    "/misdirected": whole(b"", "421 Misdirected Request"),
    "/cookie": whole(headers=["Set-Cookie: a=b"]),
    "/half": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello",
    "/half-head": b"HTTP/1.1 200 OK\r\nContent-Le",
    "/chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
    "/half-chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n",
    "/no-length": b"HTTP/1.1 200 OK\r\nETag: \"t\"\r\n\r\nhello",
    "/nothing": b"HTTP/1.1 204 No Content\r\n\r\n",
    "/nonsense": b"220 smtp ready\r\n",
    "/old": b"hello",
    "/heads": b"HTTP/1.1 200 OK\r\n" + b"X: " + b"y" * 1000 + b"\r\n" + b"Z: 1\r\n" * 20000 + b"\r\n",
    "/large": whole(b"x" * 100001),
    "/limit": whole(b"x" * 100000),
    "/endless": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"4000\r\n" + b"x" * 0x4000 + b"\r\n",
}
CLOSING = {"/then-closes", "/no-length", "/half", "/half-head", "/half-chunks", "/nonsense", "/old", "/heads"}


def serve(plain):
    try:
        with context.wrap_socket(plain, server_side=True) as s, s.makefile("rb") as f:
            turn = 0
            while (path := request_of(f)) is not None:
                turn += 1
                if path == "/gone" or (path.startswith("/kept-then-gone") and turn > 1):
                    return
                if path == "/hang":
                    time.sleep(30)
                s.sendall(ANSWERS.get(path, whole()))
                while path == "/endless":
                    s.sendall(b"4000\r\n" + b"x" * 0x4000 + b"\r\n")
                if path in CLOSING:
                    return
    except (OSError, ssl.SSLError):
        pass


listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
