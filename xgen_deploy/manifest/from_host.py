"""The manifest that a host kept, made fit for use on this machine: the host decides neither how
hosts are reached nor who is told. Pure.
"""

from collections.abc import Iterator, Mapping

from xgen_deploy.manifest.as_applied import KEYS, VARIABLES, Values
from xgen_deploy.state.host import Host
from xgen_deploy.state.kept_manifest import KeptManifest

_LOCAL = ("env", "file", "command")


def manifest_from(kept: KeptManifest, reached: Host) -> Values:
    """With an inventory in which names are as SSH knows them, and the host that kept it is reached
    as it just was.
    """
    values = {key: kept.manifest[key] for key in KEYS if key in kept.manifest}
    names = [*_path(kept.manifest, "hosts"), kept.host]
    stated = _path(kept.manifest, "inventory", "all", "hosts")
    hosts: Values = {name: _variables(_path(stated, name)) for name in names}
    hosts[kept.host] = {**_reached(kept.host, reached), **_variables(_path(stated, kept.host))}
    whole: Values = {
        "project": values.pop("project", None),
        "inventory": {"all": {"hosts": hosts}},
        **values,
    }
    return _without_own_files(whole)


def _without_own_files(values: Values) -> Values:
    """Files of this machine are not for a host to name; secrets are told apart by `looked_up`."""
    kept = {key: _without_own_files_in(value) for key, value in values.items()}
    if isinstance(accept := kept.get("accept"), dict):
        kept["accept"] = {key: value for key, value in accept.items() if key != "file"}
    if isinstance(source := kept.get("source"), dict):
        kept["source"] = {key: value for key, value in source.items() if key != "local"}
    if isinstance(kept.get("binary"), dict):  # an archive
        del kept["binary"]
    for key in ("binaries", "xgen_binaries"):
        if isinstance(table := kept.get(key), dict):
            kept[key] = {k: value for k, value in table.items() if not isinstance(value, dict)}
    return kept


def _without_own_files_in(value: object) -> object:
    if isinstance(value, list):
        return [_without_own_files_in(item) for item in value]
    return _without_own_files(value) if isinstance(value, dict) else value


def _variables(stated: Values) -> Values:
    return {key: stated[key] for key in VARIABLES if key in stated}


def _reached(name: str, host: Host) -> Values:
    address = host.address or (host.name if host.name != name else None)
    values: Values = {
        "ansible_host": address,
        "ansible_port": host.port,
        "ansible_user": host.user,
        "ansible_connection": "local" if host.connection == "local" else None,
    }
    return {key: value for key, value in values.items() if value is not None}


def _path(values: Mapping[str, object], *keys: str) -> dict[str, object]:
    """The map there; an empty one where there is none."""
    value: object = values
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return dict(value) if isinstance(value, dict) else {}


def looked_up(values: object) -> Iterator[str]:
    """`env QWEN_KEY`: every reference that a command would look up on this machine."""
    if isinstance(values, dict):
        for key in _LOCAL:
            if isinstance(value := values.get(key), str):
                yield f"{key} {value}"
        for value in values.values():
            yield from looked_up(value)
    elif isinstance(values, list):
        for value in values:
            yield from looked_up(value)
