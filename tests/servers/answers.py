"""A web server of this machine that answers over HTTPS for one name: `answers.py NAME FOLDER STATUSES`.

STATUSES are those of its answers, `503x2,200`: twice 503, and from then on 200. FOLDER gets `ca.pem`, the authority that its certificate comes from, and `asked`: a line for
each request with the name that the certificate was asked for, the host that the request was for, and the path.
"""

import datetime
import pathlib
import ssl
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

NAME, FOLDER = sys.argv[1], pathlib.Path(sys.argv[2])
*FIRST, LAST = sys.argv[3].split(",")
STATUSES = [int(status) for status, times in (it.split("x") for it in FIRST) for _ in range(int(times))]
NOW = datetime.datetime.now(datetime.timezone.utc)
DAY = datetime.timedelta(days=1)


def certificate(subject, issuer, key, signer, extension):
    """One for a day, as programs want it today."""
    names = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, it)]) for it in (subject, issuer)]
    made = x509.CertificateBuilder().subject_name(names[0]).issuer_name(names[1]).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number()).not_valid_before(NOW - DAY).not_valid_after(NOW + DAY)
    return made.add_extension(extension, critical=False).sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


authority, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
(FOLDER / "ca.pem").write_bytes(certificate("test", "test", authority, authority, x509.BasicConstraints(ca=True, path_length=0)))
plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
own = certificate(NAME, "test", key, authority, x509.SubjectAlternativeName([x509.DNSName(NAME)]))
(FOLDER / "server.pem").write_bytes(own + key.private_bytes(*plain))

asked = []


class Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        asked.append(f"{names.pop()} {self.headers['Host']} {self.path}\n")
        (FOLDER / "asked").write_text("".join(asked))
        self.send_response(STATUSES[len(asked) - 1] if len(asked) <= len(STATUSES) else int(LAST))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


names = []
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(FOLDER / "server.pem")
context.sni_callback = lambda _socket, name, _context: names.append(name)
server = HTTPServer(("127.0.0.1", 0), Answers)
server.socket = context.wrap_socket(server.socket, server_side=True)
print(f"PORT={server.server_port}", flush=True)
server.serve_forever()
