"""HAProxy as far as this tool's configuration uses it: pools, servers, keys, the admin socket."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from xgen_deploy.transport.base import Reply

Reach = Callable[[str, int, str, str | None], Reply]
_NOBODY = Reply(503, b'{"error": {"type": "service_unavailable"}}')
_COLUMNS = "# pxname,svname,qcur,scur,status,type,check_status,check_desc,check_code,addr,slim"
_STATE = "1\n# be_name srv_name srv_fqdn"


@dataclass
class Pool:
    """`key` is the variable with the key that its engines are shown."""

    servers: dict[str, str] = field(default_factory=dict)
    limits: dict[str, str] = field(default_factory=dict)
    key: str | None = None


class FakeHaproxy:
    """One process. `reach` asks an engine: its address, port, method and key. `told` are the states
    that servers were given, `under_way` the requests on a server, one number each time that the
    statistics are asked for.
    """

    ended = False
    version = "2.6.12"

    def __init__(self, config: str, keys: str, pid: int, reach: Reach) -> None:
        self.run = f"gateway-{pid}"
        self._config = config
        self._keys = dict(re.findall(r"setenv (\S+) '(.*)'", keys))
        self._pid = pid
        self._reach = reach
        self.told: dict[str, str] = {}
        self.under_way: list[int] = []
        self.pools = _pools(config)

    def log(self) -> str:
        return ""

    @property
    def port(self) -> int:
        stated = re.search(r"bind \S*?:(\d+)", self._config)
        return int(stated[1]) if stated else 0

    def ask(self, commands: str) -> str:
        """What the admin socket answers."""
        if commands == "show info":
            digest = re.search(r"description 'xgen (\w+)'", self._config)
            shown = digest[1] if digest else ""
            return f"Version: {self.version}\nPid: {self._pid}\ndescription: xgen {shown}\n"
        if commands == "show stat":
            return "\n".join([_COLUMNS, *self._rows()])
        if commands == "show env":
            return "".join(f"{name}={value}\n" for name, value in self._keys.items())
        if commands == "show servers state":
            return "\n".join([_STATE, *self._host_names()])
        return "".join(self._tell(command.split()) for command in commands.split("; "))

    def _tell(self, words: list[str]) -> str:
        """Servers that are added, told something or taken away."""
        entry = words[3] if words[:2] == ["set", "maxconn"] else words[2]
        pool, _, name = entry.partition("/")
        known = self.pools.get(pool, Pool())
        match words:
            case ["add", "server", _, at, "maxconn", limit, *_]:
                known.servers[name], known.limits[name] = at, limit
                return "New server registered.\n"
            case _ if name not in known.servers:
                return "No such server.\n"
            case ["set", "server", _, "state", state]:
                self.told[entry] = state
            case ["set", "server", _, "addr", address, "port", port]:
                known.servers[name] = f"{address}:{port}"
            case ["set", "maxconn", "server", _, limit]:
                known.limits[name] = limit
            case ["del", "server", _]:
                del known.servers[name], known.limits[name], self.told[entry]
        return ""

    def _host_names(self) -> list[str]:
        servers = [
            (n, s, at.rpartition(":")[0])
            for n, p in self.pools.items()
            for s, at in p.servers.items()
        ]
        return [f"{n} {s} {'-' if _looked_up(a) == a else a}" for n, s, a in servers]

    def _rows(self) -> list[str]:
        busy = self.under_way.pop(0) if self.under_way else 0
        rows = []
        for name, pool in self.pools.items():
            rows.append(f"{name},BACKEND,0,0,UP,1,,,,,")
            for server in pool.servers:
                up = self._up(name, server)
                status = "DRAIN" if self._drained(name, server) else "UP" if up else "DOWN"
                check = "L7OK,,200" if up else "L4CON,Connection refused,"
                sessions = busy if status == "DRAIN" else 0
                address, _, port = pool.servers[server].rpartition(":")
                where = f"{_looked_up(address)}:{port},{pool.limits[server]}"
                rows.append(f"{name},{server},0,{sessions},{status},2,{check},{where}")
        return rows

    def _drained(self, pool: str, server: str) -> bool:
        return self.told.get(f"{pool}/{server}") == "drain"

    def _up(self, pool: str, server: str) -> bool:
        address, _, port = self.pools[pool].servers[server].rpartition(":")
        return self._reach(address, int(port), "GET", None).status == 200

    def models(self, key: str | None) -> Reply:
        """What a client is shown, by the rules for its audience."""
        digest = hashlib.sha256((key or "").encode()).hexdigest()
        variable = next((n for n, v in self._keys.items() if v == digest), None)
        if variable is None:
            return Reply(401, b"{}")
        number = re.search(rf'acl has_key_(\d+) .*{re.escape(variable)}}}"', self._config)
        rule = rf"txn.audience\) int\((\d+)\) if has_key_{number[1] if number else 0}\n"
        audience = re.search(rule, self._config)
        lists = re.findall(r"string '(.*)' if is_get { path /v1/models }", self._config)
        return Reply(200, lists[int(audience[1]) if audience else 0].encode())

    def request(self, body: bytes, key: str | None) -> Reply:
        """A client's, as far as an engine that is up and not drained."""
        digest = hashlib.sha256((key or "").encode()).hexdigest()
        if "XGEN_PROOF_SHA256" in self._keys and digest not in self._keys.values():
            return Reply(401, b'{"error": {"code": "invalid_api_key"}}')
        pool = self._pool_of(str(json.loads(body)["model"]))
        if pool is None:
            return Reply(404, b'{"error": {"code": "model_not_found"}}')
        for server, at in self.pools[pool].servers.items():
            if self._up(pool, server) and not self._drained(pool, server):
                address, _, port = at.rpartition(":")
                shown = self._keys.get(self.pools[pool].key or "")
                return self._reach(address, int(port), "POST", shown)
        return _NOBODY

    def _pool_of(self, model: str) -> str | None:
        """The first rule of the model's whose pool has a server that is up, else the last one."""
        named = rf"acl is_(\d+) var\(txn.model\) -m str --[^\n]* '{re.escape(model)}'[ \n]"
        number = re.search(named, self._config)
        if number is None:
            return None
        rules = re.findall(rf"use_backend (\S+) if is_{number[1]}\b(.*)", self._config)
        for pool, condition in rules:
            if not condition.strip() or any(self._up(pool, s) for s in self.pools[pool].servers):
                return str(pool)
        return None


def _looked_up(address: str) -> str:
    return address if address[0].isdigit() else "192.0.2.1"


def _pools(config: str) -> dict[str, Pool]:
    pools: dict[str, Pool] = {}
    pool = Pool()
    for words in (line.split() for line in config.splitlines() if line.strip()):
        if words[0] == "backend":
            pool = pools.setdefault(words[1], Pool())
        elif words[0] == "server":
            pool.servers[words[1]], pool.limits[words[1]] = words[2], words[4]
        elif words[:3] == ["http-request", "set-header", "Authorization"]:
            pool.key = words[-1].partition("env(")[2].partition(")")[0]
    return pools
