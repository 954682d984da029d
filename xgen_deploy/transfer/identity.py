"""A key and certificate for one transfer between two hosts."""

import datetime
import hashlib
from dataclasses import dataclass

from xgen_deploy.transfer.self_signed import self_signed

_YEAR = datetime.timedelta(days=365)


@dataclass(frozen=True)
class Identity:
    """`pem` is certificate and key, `fingerprint` the SHA-256 of the certificate's DER form."""

    pem: str
    fingerprint: str


def new_identity() -> Identity:
    """Its dates are wide and looked at by nobody: clocks are off behind walls."""
    made = self_signed("xgen-deploy", before=_YEAR, after=_YEAR)
    return Identity(made.pem + made.key, hashlib.sha256(made.der).hexdigest())
