"""HTTP requests made on the host itself."""

from __future__ import annotations

import base64
import http.client
import time
from typing import Any

BODY = 16 << 20


def request(
    method: str,
    address: str,
    port: int,
    path: str,
    body: str,
    headers: dict[str, str],
    timeout: float,
    tls: bool = False,
) -> dict[str, Any]:
    """Bodies are base64. Status 0 where no complete answer came; the body then says why. With `tls`
    no certificate is checked, because the host talks to itself."""
    until = time.monotonic() + timeout
    connection = connection_to(address, port, timeout, tls)
    try:
        connection.request(method, path, base64.b64decode(body) or None, headers)
        sock = connection.sock
        answer = connection.getresponse()
        content = b""
        while len(content) < BODY:
            left = until - time.monotonic()
            if left <= 0:
                raise OSError(f"the answer was incomplete after {timeout:g} s")
            sock.settimeout(left)
            chunk = answer.read1(1 << 16)
            if not chunk:
                break
            content += chunk
        return {"status": answer.status, "body": base64.b64encode(content).decode()}
    except (OSError, http.client.HTTPException) as error:
        text = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return {"status": 0, "body": base64.b64encode(text.encode()).decode()}
    except ValueError:  # its text would show the header, which may have a key
        text = "the request has a character that HTTP does not allow"
        return {"status": 0, "body": base64.b64encode(text.encode()).decode()}
    finally:
        connection.close()


def connection_to(address: str, port: int, timeout: float, tls: bool) -> http.client.HTTPConnection:
    if tls:
        return _over_tls(address, port, timeout)
    return http.client.HTTPConnection(address, port, timeout=timeout)


def _over_tls(address: str, port: int, timeout: float) -> http.client.HTTPSConnection:
    import ssl  # not every small Python has it

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection(address, port, timeout=timeout, context=context)
