/** Makes the folder that it is started in the package `function`, as OpenFaaS's templates have it. */
const PACKAGE = `
import importlib, json, os, sys, types
folder = os.getcwd()
sys.path[0:0] = [folder, os.path.join(folder, "python")]
package = types.ModuleType("function")
package.__path__ = [folder]
sys.modules["function"] = package
`

/**
 * Runs the `handler.py` of OpenFaaS's template python3 as it is: what `handle(request)` gives for the text on
 * standard input goes to standard output. One that has been started ahead learns the variables of its request
 * from a pipe.
 */
export const PYTHON_RUNNER = `${PACKAGE}
for stream in (sys.stdin, sys.stdout):
    stream.reconfigure(encoding="utf-8", errors="surrogateescape")
handler = importlib.import_module("function.handler")
told = os.environ.pop("HOTPOTATO_VARIABLES_FD", None)
if told is not None:
    with os.fdopen(int(told)) as pipe:
        variables = pipe.read()
    if not variables:
        sys.exit("no request has come")
    os.environ.update(json.loads(variables))
answer = handler.handle(sys.stdin.read())
if answer is not None:
    print(answer)
`

/** What the template python3-http makes of what a handler gives: status, fields and content. */
export const PYTHON_ANSWER = `
def answer_of(given):
    if not isinstance(given, dict):
        given = {"body": "" if given is None else given}
    headers = given.get("headers") or {}
    headers = list(headers.items()) if isinstance(headers, dict) else list(headers)
    body, kind = given.get("body", ""), "text/html; charset=utf-8"
    if isinstance(body, (dict, list)):
        body, kind = json.dumps(body) + "\\n", "application/json"
    if not isinstance(body, (bytes, bytearray)):
        body = str(body).encode("utf-8", "surrogateescape")
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("Content-Type", kind))
    return int(given.get("statusCode", 200)), headers, body
`

/**
 * Runs the `handler.py` of OpenFaaS's template python3-http as it is: `handle(event, context)` gives a text,
 * or a map with `statusCode`, `body` and `headers`. It serves on the socket SOCKET or the port PORT, with a
 * thread for each connection.
 */
export const PYTHON_HTTP_RUNNER = `${PACKAGE}
import socket, socketserver, traceback
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qsl, urlsplit
handler = importlib.import_module("function.handler")

class Event:
    def __init__(self, request, body):
        url = urlsplit(request.path)
        self.body, self.headers, self.method = body, request.headers, request.command
        self.path, self.query = url.path, dict(reversed(parse_qsl(url.query, keep_blank_values=True)))

class Context:
    hostname = socket.gethostname()

${PYTHON_ANSWER}
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def __getattr__(self, name):
        if name.startswith("do_"):
            return self.serve
        raise AttributeError(name)
    def address_string(self):
        return "-"
    def log_request(self, *_):
        pass
    def content(self):
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while True:
            size = int(self.rfile.readline().split(b";")[0], 16)
            parts.append(self.rfile.read(size))
            while self.rfile.readline().strip() and size == 0:
                pass
            if size == 0:
                return b"".join(parts)
    def serve(self):
        try:
            status, headers, body = answer_of(handler.handle(Event(self, self.content()), Context))
        except Exception:
            traceback.print_exc()
            status, headers, body = 500, [("Content-Type", "text/plain")], b"the function failed\\n"
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, str(value))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

path = os.environ.get("SOCKET")
kind = socketserver.TCPServer if path is None else socketserver.UnixStreamServer

class Server(socketserver.ThreadingMixIn, kind):
    daemon_threads = True
    request_queue_size = 128

Server(path or ("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
`
