"""Hashes of passwords and of scripts' tokens. No password is kept, printed or logged."""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode

# 16 MiB and about 0.1 s a try.
_COST, _BLOCK, _PARALLEL = 1 << 14, 8, 5
_MOST_MEMORY = 128 << 20
_LENGTH = 32


def hash_password(password: str) -> str:
    """For `password_hash` of a manifest."""
    salt = secrets.token_bytes(16)
    key = _scrypt(password, salt, _COST, _BLOCK, _PARALLEL)
    return f"scrypt:{_COST}:{_BLOCK}:{_PARALLEL}:{_text(salt)}:{_text(key)}"


def is_password(password: str, stated: str | None) -> bool:
    """Takes as long where there is no hash."""
    _, cost, block, parallel, salt, key = (stated or _NOBODYS).split(":")
    try:
        made = _scrypt(password, _bytes(salt), int(cost), int(block), int(parallel))
    except ValueError:  # a cost that scrypt does not take
        return False
    return hmac.compare_digest(made, _bytes(key)) and stated is not None


def new_token() -> tuple[str, str]:
    """A token for a script, and what the manifest has of it."""
    token = secrets.token_urlsafe(32)
    return token, hash_token(token)


def hash_token(token: str) -> str:
    """For `token_hash`. It is random, so that a fast hash is enough."""
    return f"sha256:{hashlib.sha256(token.encode()).hexdigest()}"


def _scrypt(password: str, salt: bytes, cost: int, block: int, parallel: int) -> bytes:
    return hashlib.scrypt(
        password.encode(errors="surrogatepass"),
        salt=salt,
        n=cost,
        r=block,
        p=parallel,
        maxmem=_MOST_MEMORY,
        dklen=_LENGTH,
    )


def _text(value: bytes) -> str:
    return urlsafe_b64encode(value).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


_NOBODYS = f"scrypt:{_COST}:{_BLOCK}:{_PARALLEL}:{_text(bytes(16))}:{_text(bytes(_LENGTH))}"
