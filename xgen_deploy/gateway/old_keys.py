"""The engines' keys from before, while new ones are brought out instance by instance."""

import shlex
from collections.abc import Mapping

from xgen_deploy.gateway.config import key_name, old_key_name
from xgen_deploy.gateway.spec import DoorSpec
from xgen_deploy.render.rendered import Secrets


def old_keys(
    spec: DoorSpec, last: DoorSpec | None, delivered: bytes | None, secrets: Secrets
) -> Mapping[str, str]:
    """By model, for those of `spec` with servers that still have it: from the keys.cfg that was
    `delivered` for `last`. A rotation that was cut short has left two: the one that is not
    today's counts.
    """
    there = _values(delivered or b"")
    places = {route.model: n for n, route in enumerate(last.routes if last else ())}
    found = {}
    for route in spec.routes:
        if not route.has_old_keys or route.model not in places:
            continue
        today = secrets.value(route.api_key) if route.api_key else None
        number = places[route.model]
        known = (there.get(old_key_name(number)), there.get(key_name(number)))
        value = next((v for v in known if v is not None and v != today), None)
        if value is not None:
            found[route.model] = value
    return found


def _values(keys: bytes) -> dict[str, str]:
    lines = (line.split(maxsplit=2) for line in keys.decode(errors="replace").splitlines())
    stated = (words for words in lines if len(words) == 3 and words[0] == "setenv")
    return {name: "".join(shlex.split(quoted)) for _, name, quoted in stated}
