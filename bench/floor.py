"""The floor: bare Fabric runs `python3 -I -c 'import json, ctypes'` on each host, all at once."""

import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import fabric
import paramiko

COMMAND = "python3 -I -c 'import json, ctypes'"


def main(ssh_config: str, names: list[str]) -> None:
    """Raises whatever Fabric raises: a floor with a failed host is none."""
    read = paramiko.SSHConfig.from_path(ssh_config)
    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(partial(_one, read), names))


def _one(read: paramiko.SSHConfig, name: str) -> None:
    connection = fabric.Connection(name, config=fabric.Config(ssh_config=read, lazy=True))
    known_hosts = read.lookup(name)["userknownhostsfile"]
    connection.client.load_host_keys(known_hosts)
    connection.client.set_missing_host_key_policy(paramiko.RejectPolicy)
    with connection:
        connection.run(COMMAND, hide=True, in_stream=False)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
