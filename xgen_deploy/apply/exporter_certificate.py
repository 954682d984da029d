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

    from xgen_deploy.transfer.self_signed import self_signed

    try:
        name: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(address))
    except ValueError:
        name = x509.DNSName(address)
    made = self_signed(
        f"xgen-deploy {project} {host}",
        before=_BEFORE,
        after=_VALID,
        extensions=(
            (x509.SubjectAlternativeName([name]), False),
            (x509.BasicConstraints(ca=False, path_length=None), True),
        ),
    )
    return ExporterCertificate(b64encode(made.der).decode(), made.key, made.ends)
