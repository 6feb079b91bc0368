"""A server of the standard library as a function: it ticks, and sends each tick at once."""

import os
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class Clock(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        url = urlsplit(self.path)
        if url.path == "/ready":
            self.whole("ready\n")
            return
        query = parse_qs(url.query)
        ticks = int(query.get("ticks", ["3"])[0])
        pause = float(query.get("pause", ["0.2"])[0])
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for tick in range(1, ticks + 1):
            line = f"tick {tick}\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            self.wfile.flush()
            time.sleep(pause)
        self.wfile.write(b"0\r\n\r\n")

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        self.whole(self.rfile.read(length).decode()[::-1])

    def whole(self, text):
        content = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        # Which process and which connection of its own has answered.
        self.send_header("X-Program", f"{os.getpid()} {self.client_address[1]}")
        self.end_headers()
        self.wfile.write(content)


ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Clock).serve_forever()
