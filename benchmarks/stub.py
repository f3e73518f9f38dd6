"""Serve a Cognito that accepts everything, over TLS on loopback and in a process of its own.

`python -m benchmarks.stub FOLDER [DELAYS]` writes `authority.pem` there, the certificate to trust,
prints its URL, and ends with its standard input. The delays are JSON: for each service, by the
prefix of its `X-Amz-Target`, the seconds before it responds. `breaches` is the breach service.
"""

import json
import ssl
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from threading import Thread
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

ADDRESS: Final = "127.0.0.1"
AUTHORITY: Final = "authority.pem"

_USER: Final = {
    "Username": "6d5e1c0a-3f51-4f2b-9c0e-1b2a3c4d5e6f",
    "UserAttributes": [
        {"Name": "email", "Value": "demo@example.com"},
        {"Name": "email_verified", "Value": "true"},
    ],
}

_OFF: Final = {"__type": "OperationNotEnabledException", "message": "Session tracking is off."}

ANSWERS: Final[dict[str, dict[str, Any]]] = {
    "AdminGetUser": _USER,
    "AdminListUserSessions": _OFF,
    "AdminUserGlobalSignOut": {},
    "ChangePassword": {},
    "ConfirmForgotPassword": {},
    "DescribeUserPool": {
        "UserPool": {"Policies": {"PasswordPolicy": {"MinimumLength": 15}}},
    },
    "DescribeUserPoolClient": {
        "UserPoolClient": {"ClientSecret": "the-client-secret-of-the-benchmark"},
    },
    "ForgotPassword": {
        "CodeDeliveryDetails": {
            "Destination": "d***@e***",
            "DeliveryMedium": "EMAIL",
            "AttributeName": "email",
        },
    },
    "GetItem": {},
    "GetUser": _USER,
    "GlobalSignOut": {},
    "ListUserSessions": _OFF,
    "PutItem": {},
    "SendMessage": {"MessageId": "1"},
    "SendMessageBatch": {},
    # The optional features ask these of DynamoDB and of EventBridge.
    "PutEvents": {"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]},
    "UpdateItem": {"Attributes": {"attempts": {"N": "1"}}},
}

_BREACHES: Final = b"\r\n".join(b"%035X:%d" % (number, number % 7) for number in range(900))
"""The range API of breached passwords has about this many for one prefix."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Headers and body leave in one packet; with Nagle's algorithm, two would cost 40 ms.
    wbufsize = -1
    disable_nagle_algorithm = True

    server: "_Server"

    def do_GET(self) -> None:
        self._send("text/plain", _BREACHES, "breaches")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        service, _, action = self.headers["X-Amz-Target"].partition(".")
        answer = ANSWERS[action]
        body, status = json.dumps(answer).encode(), 400 if "__type" in answer else 200
        self._send("application/x-amz-json-1.1", body, service, status)

    def _send(self, content_type: str, body: bytes, service: str, status: int = 200) -> None:
        time.sleep(self.server.delays.get(service, 0.0))
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-amzn-RequestId", "4a0f3e55-6c1b-4f0e-9a38-2d7c5b8e1f60")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Log nothing, because it would take processor time from what is measured."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    delays: Mapping[str, float]

    def handle_error(self, request: object, client_address: object) -> None:
        """Log nothing, because every measured function closes its connections without notice."""


def write_certificates(folder: Path) -> Path:
    """Write a certificate for `ADDRESS` with its key, signed by an authority made for this run."""
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = _builder("Authority of this run", "Authority of this run", authority_key)
    authority = authority.add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    ).add_extension(_usage(signs_certificates=True), critical=True)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    addresses = x509.SubjectAlternativeName([x509.IPAddress(ip_address(ADDRESS))])
    server = _builder("Stub", "Authority of this run", key)
    server = (
        server.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(identifier, critical=False)
        .add_extension(addresses, critical=False)
    )
    (folder / AUTHORITY).write_bytes(
        authority.sign(authority_key, SHA256()).public_bytes(Encoding.PEM)
    )
    chain = folder / "server.pem"
    chain.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + server.sign(authority_key, SHA256()).public_bytes(Encoding.PEM)
    )
    return chain


def _builder(subject: str, issuer: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return x509.CertificateBuilder(
        issuer_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]),
        subject_name=x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]),
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=now - timedelta(minutes=5),
        not_valid_after=now + timedelta(days=1),
    ).add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def main(folder: Path, delays: str = "{}") -> None:
    """Serve until standard input ends, which it does with the process that started this one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(write_certificates(folder))
    with _Server((ADDRESS, 0), _Handler) as server:
        server.delays = json.loads(delays)
        # The handshake is left to the connection's own thread, so that none waits for another's.
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        Thread(target=server.serve_forever, daemon=True).start()
        print(f"https://{ADDRESS}:{server.server_port}", flush=True)
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
