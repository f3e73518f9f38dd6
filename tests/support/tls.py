"""A server of TLS on loopback, whose certificate has the name of AWS's Cognito."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST: Final = "cognito-idp.us-east-1.amazonaws.com"


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Write a key, and a certificate for `HOST` that it signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = folder / "key.pem", folder / "certificate.pem"
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    files[0].write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
    files[1].write_bytes(certificate.public_bytes(encoding))
    return files


class TlsServer(ThreadingHTTPServer):
    """Answer every request with an empty success of AWS, and count the connections."""

    daemon_threads = True

    def __init__(self, context: ssl.SSLContext | None) -> None:
        """Without a context, the server understands no TLS."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self._context = context
        self.connections = 0
        self.requests: list[str] = []

    def get_request(self) -> tuple[Any, Any]:
        connection, address = super().get_request()
        self.connections += 1
        if self._context:
            try:
                connection = self._context.wrap_socket(connection, server_side=True)
            except OSError:
                connection.close()
                raise
        return connection, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log nothing, because clients are meant to hang up."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: TlsServer

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append(self.headers["X-Amz-Target"].rpartition(".")[2])
        self.send_response(200)
        self.send_header("x-amzn-requestid", "tests")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Log nothing."""


@contextmanager
def serve(certificate: tuple[Path, Path] | None) -> Iterator[TlsServer]:
    """Run a server that shows this certificate."""
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate[1], certificate[0])
    with TlsServer(context) as server:
        thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def resolve_to(server: TlsServer) -> Any:
    """Return a `getaddrinfo` that finds `HOST` at the server."""
    actual = socket.getaddrinfo

    def resolve(host: Any, port: Any, *arguments: Any, **more: Any) -> Any:
        if host == HOST:
            return actual("127.0.0.1", server.server_port, *arguments, **more)
        return actual(host, port, *arguments, **more)

    return resolve
