"""An authority made for a test run, and the certificates that it signed."""

import datetime as dt
import ipaddress
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_PEM = serialization.Encoding.PEM


class Authority:
    """Certificates by name as PEM texts: `leaf` for localhost, `other` for another name, `client`, `self` for itself."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        key = ec.generate_private_key(ec.SECP256R1())
        root = _certificate("an authority", key, None, key, names=())
        self.roots = root.public_bytes(_PEM).decode()
        self.keys: dict[str, str] = {}
        self.certificates: dict[str, str] = {}
        names = {"leaf": ("localhost", "api.test"), "other": ("other.test",), "client": ()}
        for name, hosts in names.items():
            own = ec.generate_private_key(ec.SECP256R1())
            self._keep(name, _certificate(name, own, root, key, names=hosts), own)
        own = ec.generate_private_key(ec.SECP256R1())
        self._keep("self", _certificate("localhost", own, None, own, names=("localhost",)), own)

    def _keep(self, name: str, made: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self.certificates[name] = made.public_bytes(_PEM).decode()
        self.keys[name] = key.private_bytes(
            _PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
        (self._folder / f"{name}.pem").write_text(self.certificates[name] + self.keys[name])

    def server(self, name: str, *, clients: bool = False) -> ssl.SSLContext:
        """A server's context; with `clients` each of them must show a certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._folder / f"{name}.pem")
        if clients:
            context.load_verify_locations(cadata=self.roots)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Certificate | None,
    signer: ec.EllipticCurvePrivateKey,
    *,
    names: tuple[str, ...],
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    hosts: list[x509.GeneralName] = [x509.DNSName(host) for host in names]
    if "localhost" in names:
        hosts.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if hosts:
        builder = builder.add_extension(x509.SubjectAlternativeName(hosts), critical=False)
    return builder.sign(signer, hashes.SHA256())
