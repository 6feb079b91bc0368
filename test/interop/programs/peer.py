"""A TLS 1.3 peer over Python's ssl.

`peer.py client JSON` says two lines and wants them back, `peer.py server JSON` echoes.
"""

import json
import socket
import ssl
import sys


def main():
    role, options = sys.argv[1], json.loads(sys.argv[2])
    (client if role == "client" else server)(options)


def context(purpose, options):
    made = ssl.SSLContext(purpose)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.load_verify_locations(options["ca"])
    if "cert" in options:
        made.load_cert_chain(options["cert"], options["key"])
    if "curve" in options:
        made.set_ecdh_curve(options["curve"])
    return made


def client(options):
    made = context(ssl.PROTOCOL_TLS_CLIENT, options)
    session = None
    for _ in range(options.get("connections", 1)):
        raw = socket.create_connection(("127.0.0.1", options["port"]))
        with made.wrap_socket(raw, server_hostname=options["host"], session=session) as connection:
            for line in (b"first potato\n", b"second potato\n"):
                connection.sendall(line)
                heard = b""
                while not heard.endswith(b"\n"):
                    piece = connection.recv(1000)
                    if not piece:
                        raise SystemExit("closed")
                    heard += piece
                if heard != line:
                    raise SystemExit(f"said {line}, heard {heard}")
            print(connection.cipher()[0], "reused" if connection.session_reused else "new", flush=True)
            session = connection.session
            connection.unwrap().close()


def server(options):
    made = context(ssl.PROTOCOL_TLS_SERVER, options)
    if options.get("require"):
        made.verify_mode = ssl.CERT_REQUIRED
    listener = socket.create_server(("127.0.0.1", 0))
    print("port", listener.getsockname()[1], flush=True)
    while True:
        raw, _ = listener.accept()
        try:
            with made.wrap_socket(raw, server_side=True) as connection:
                while heard := connection.recv(1000):
                    connection.sendall(heard)
                connection.unwrap().close()
        except OSError as error:
            print("failed", error, flush=True)


main()
