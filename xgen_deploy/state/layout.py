"""Names and paths on a host, as the contract promises them."""

import re
from typing import Final, Literal

from xgen_deploy.frozen import Frozen

# Of 107 bytes (unix(7)); supervisord appends its process ID while it makes the socket.
_LONGEST_SOCKET: Final = 99
_PLAIN: Final = re.compile(r"[A-Za-z0-9_@+=:,./-]*")

# The suffix of an instance's second slot, which start-first updates use every other time.
SECOND: Final = ".b"
Slot = Literal["", ".b"]
# Suffixes of what belongs to an instance: its guard, the unit that puts it back at the next boot,
# the guard that ends its drain at a gateway, and its files before they are put in place.
GUARD: Final = ".guard"
PUT_BACK: Final = ".put-back"
DRAINED: Final = ".drained"
NEXT: Final = ".next"
# No instance's name may end in these.
OWN_SUFFIXES: Final = (SECOND, GUARD, PUT_BACK, DRAINED, NEXT)


class Layout(Frozen):
    """The paths of one project on one host.

    `process_dir` is set under the process runtime alone, where everything lies beneath it. An
    instance that was replaced by starting the new one first lies in its second slot: its units,
    containers and files are those of `<instance>.b`.
    """

    project: str
    state_dir: str
    etc_dir: str
    unit_dir: str = "/etc/systemd/system"
    process_dir: str | None = None

    @property
    def written(self) -> tuple[str, ...]:
        """The folders that an apply writes to."""
        if self.process_dir is not None:
            return (self.process_dir,)
        return (self.unit_dir, self.etc_dir, self.state_dir)

    @property
    def record(self) -> str:
        return f"{self.state_dir}/record.json"

    @property
    def manifest(self) -> str:
        """The manifest as it was last applied with success (see state/kept_manifest.py)."""
        return f"{self.state_dir}/manifest.json"

    @property
    def engines(self) -> str:
        return f"{self.state_dir}/engines.json"

    @property
    def models(self) -> str:
        return f"{self.state_dir}/models.json"

    @property
    def images(self) -> str:
        """A folder for the blobs of images that are on their way."""
        return f"{self.state_dir}/images"

    @property
    def lock(self) -> str:
        return f"{self.state_dir}/lock"

    @property
    def lock_queue(self) -> str:
        """A folder with a file for each who waits for the lock (transport/remote/lock_queue.py)."""
        return f"{self.lock}.queue"

    @property
    def fetching(self) -> str:
        """How a fetch goes that went on alone (transfer/remote/detached.py)."""
        return f"{self.state_dir}/fetching.json"

    @property
    def history(self) -> str:
        """A folder with one file an apply, named by its number."""
        return f"{self.state_dir}/history"

    @property
    def audit(self) -> str:
        """The audit log of the host (see audit/remote/log.py)."""
        return f"{self.state_dir}/audit.jsonl"

    @property
    def watchdog(self) -> str:
        """The name of the watchdog's timer and service; without a hyphen after the project, so that
        no instance can have the same name."""
        return f"xgen-{self.project}"

    @property
    def watchdog_files(self) -> tuple[str, ...]:
        """Program, settings, service and timer; () under the process runtime, which has none."""
        if self.process_dir is not None:
            return ()
        units = (f"{self.unit_dir}/{self.watchdog}.{kind}" for kind in ("service", "timer"))
        return (f"{self.state_dir}/heal.py", f"{self.state_dir}/heal.json", *units)

    @property
    def watchdog_state(self) -> str:
        return f"{self.state_dir}/heal.state"

    @property
    def supervisor_folder(self) -> str:
        """`process_dir` in the supervisor's own files. Its working directory stands for a path that
        is too long for a socket, or that its configuration would read as something else.
        """
        folder = self.process_dir or ""
        socket = f"{folder}/supervisor.sock"
        plain = _PLAIN.fullmatch(folder) and len(socket) <= _LONGEST_SOCKET
        return folder if plain else "/proc/self/cwd"

    def service(self, instance: str) -> str:
        """The unit's and the container's common name, without `.service`."""
        return f"xgen-{self.project}-{instance}"

    def definition(self, instance: str) -> str:
        """The file that makes the instance run: a unit, or a supervisor's program."""
        kind = "service" if self.process_dir is None else "conf"
        return f"{self.definitions}/{self.service(instance)}.{kind}"

    @property
    def definitions(self) -> str:
        """The folder of these files."""
        return self.unit_dir if self.process_dir is None else f"{self.process_dir}/conf.d"

    def settings(self, instance: str) -> str:
        """The folder of an instance's environment and secrets (0700)."""
        return f"{self.etc_dir}/{instance}"

    def next_settings(self, instance: str) -> str:
        """The same, before it is put in place."""
        return f"{self.settings(instance)}{NEXT}"

    def next_definition(self, instance: str) -> str:
        """Neither systemd nor the supervisor reads a file of this name."""
        return f"{self.definition(instance)}{NEXT}"

    def guard(self, instance: str) -> str:
        """The transient unit that waits for the end of a change."""
        return f"{self.service(instance)}{GUARD}.service"

    def drained_guard(self, server: str) -> str:
        """The same on a gateway's host, for one of its servers: no instance's name, but that of
        HAProxy."""
        return f"{self.service(server)}{DRAINED}.service"

    def boot_unit(self, instance: str) -> str:
        """The unit that puts it back at the next boot, where a change was cut off."""
        return f"{self.unit_dir}/{self.service(instance)}{PUT_BACK}.service"

    @property
    def put_back_script(self) -> str:
        return f"{self.state_dir}/put-back.sh"

    def previous(self, instance: str) -> str:
        """The folder of the version that worked, while another one is tried."""
        return f"{self.state_dir}/previous/{instance}"

    def failed_log(self, instance: str) -> str:
        """The log of an attempt that did not pass its gate."""
        return f"{self.state_dir}/failed/{instance}.log"

    def vectors(self, instance: str) -> str:
        """The vectors that an embedding model's later ones are held against."""
        return f"{self.state_dir}/vectors/{instance}.json"

    def log(self, instance: str) -> str:
        """The supervisor's log of an instance; only under the process runtime."""
        return f"{self.process_dir}/log/{instance}.log"

    def supervisor_log(self, instance: str) -> str:
        """The same, as the supervisor's configuration names it."""
        return f"{self.supervisor_folder}/log/{instance}.log"


def system_layout(project: str) -> Layout:
    """For the docker and systemd runtimes."""
    return Layout(
        project=project,
        state_dir=f"/var/lib/xgen-deploy/{project}",
        etc_dir=f"/etc/xgen-deploy/{project}",
    )


def process_layout(project: str, state_home: str) -> Layout:
    """For the process runtime, under the login's own `state_home` ($XDG_STATE_HOME)."""
    base = f"{state_home}/xgen-deploy/{project}"
    return Layout(project=project, state_dir=base, etc_dir=f"{base}/etc", process_dir=base)
