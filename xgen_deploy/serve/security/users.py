"""Who may log in. Pure."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field

from xgen_deploy.serve.security.passwords import hash_token, is_password
from xgen_deploy.state.serve import ROLES, Role, ServeUser


@dataclass(frozen=True)
class User:
    """`hosts` and `models` None: all of them. `by_link`: whoever opened the link that was printed,
    by the login that the program runs as."""

    name: str
    role: Role
    hosts: tuple[str, ...] | None = None
    models: tuple[str, ...] | None = None
    password_hash: str | None = field(default=None, repr=False)
    token_hash: str | None = field(default=None, repr=False)
    by_link: bool = False

    def may(self, role: Role) -> bool:
        """What this role may do."""
        return ROLES.index(self.role) >= ROLES.index(role)


class Users:
    """By name, as the manifest or a file has them now."""

    def __init__(self, stated: Mapping[str, ServeUser]) -> None:
        self._users = {
            name: User(
                name=name,
                role=user.role,
                hosts=user.hosts,
                models=user.models,
                password_hash=user.password_hash,
                token_hash=user.token_hash,
            )
            for name, user in stated.items()
        }

    def __len__(self) -> int:
        return len(self._users)

    def still(self, user: User) -> User | None:
        """The user of a session as he is now; None where his password, his token or he himself is
        gone, and for who came by the link once there are users."""
        if user.by_link:
            return None if self._users else user
        now = self._users.get(user.name)
        before = (user.password_hash, user.token_hash)
        return now if now and (now.password_hash, now.token_hash) == before else None

    def with_password(self, name: str, password: str) -> User | None:
        user = self._users.get(name)
        right = is_password(password, user.password_hash if user else None)
        return user if right else None

    def with_token(self, token: str) -> User | None:
        hashed = hash_token(token)
        known = [u for u in self._users.values() if u.token_hash is not None]
        matching = [u for u in known if hmac.compare_digest(u.token_hash or "", hashed)]
        return matching[0] if matching else None


def link_user(login: str) -> User:
    """Whoever started the command may do all that it may."""
    return User(name=login, role="admin", by_link=True)
