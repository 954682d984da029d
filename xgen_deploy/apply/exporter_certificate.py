"""The certificate of an exporter: made here, its key is written to its host alone."""

import datetime
import ipaddress
from base64 import b64encode
from dataclasses import dataclass, field

from xgen_deploy.state.monitoring import pem_text

_BEFORE = datetime.timedelta(days=1)  # clocks are off behind walls
_VALID = datetime.timedelta(days=5 * 365)


@dataclass(frozen=True)
class ExporterCertificate:
    """`certificate` is base64, `key` a PEM text; `ends` in seconds since the epoch."""

    certificate: str
    key: str = field(repr=False)
    ends: float

    @property
    def whole(self) -> bytes:
        """As the exporter reads it."""
        return (pem_text(self.certificate) + self.key).encode()


def new_certificate(project: str, host: str, address: str) -> ExporterCertificate:
    """For the name or address that Prometheus reaches the exporter by, and nothing else."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    common = f"xgen-deploy {project} {host}"[:64]
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    try:
        general: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(address))
    except ValueError:
        general = x509.DNSName(address)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BEFORE)
        .not_valid_after(now + _VALID)
        .add_extension(x509.SubjectAlternativeName([general]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    der = certificate.public_bytes(serialization.Encoding.DER)
    return ExporterCertificate(
        b64encode(der).decode(), private.decode(), (now + _VALID).timestamp()
    )
