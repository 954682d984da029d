"""What `container.args` and `container.mounts` may say: whatever leaves the tool's own options of
`docker run` as they are.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from xgen_deploy.manifest.diagnostics import Problems, nearest
from xgen_deploy.manifest.docker_options import KNOWN, DockerOption, NoOption, docker_options
from xgen_deploy.state.field_types import mount_options
from xgen_deploy.state.instance_config import InstanceConfig

_ON = "true"
_OFF = "false"
_WHOLE_HOST = "it gives the engine the whole host"
_STRAY = "Docker would take it for the image: it is no option, and none before it takes a value"
_ITEMS = "an option and its value are two items, or one with `=`"

_NO_VALUE = (
    "Docker would take the tool's next option for its value; it is the next item, or one with `=`"
)


@dataclass(frozen=True)
class Rule:
    """What is said of an option whose whole value matches `values`, and what to do."""

    why: str
    values: str = ".*"
    instead: str = "leave it out"

    def holds(self, value: str) -> bool:
        return re.fullmatch(self.values, value, re.DOTALL) is not None


_LOST = "the unit would lose its container"
_NO_TERMINAL = "the unit has no terminal"
_ASKED = "the tool asks the engine itself whether it serves"
_PORT = "the tool publishes the engine's port itself"
_GPUS = "the tool gives an engine its GPUs itself"
_HOST_NETWORK = "the engine would listen on every address of the host, whatever `listen` says"
_ON_HOST_NETWORK = "`runtime: systemd` runs one on the host's network, at `listen` alone"
_NVIDIA_OR_AMD = r"/dev/(nvidia|dri|kfd|dxg).*|[a-z.]*(nvidia|amd)\.com/gpu=.*"
_HEALTH = ("cmd", "interval", "retries", "start-interval", "start-period", "timeout")
# Options that undo what the tool relies on.
_REFUSED: dict[str, tuple[Rule, ...]] = {
    "--name": (Rule("the unit finds its container by the name that the tool gives it"),),
    "--detach": (Rule(_LOST, _ON),),
    "--restart": (Rule("systemd starts the unit again", "(?!no$).*"),),
    "--rm": (Rule("the container's name would not be free at the next start", _OFF),),
    "--cidfile": (Rule("Docker refuses a start while that file is there"),),
    "--interactive": (Rule(_NO_TERMINAL, _ON),),
    "--tty": (Rule(_NO_TERMINAL, _ON),),
    "--attach": (Rule("the unit's log is all that the engine prints"),),
    "--no-healthcheck": (Rule(_ASKED, _OFF),),
    **{f"--health-{part}": (Rule(_ASKED),) for part in _HEALTH},
    "--pull": (
        Rule("the unit runs the image that was proved", "(?!never$).*", "state `pull` instead"),
    ),
    "--user": (Rule("the tool gives each engine a user of its own, which its files belong to"),),
    "--entrypoint": (
        Rule(
            "the tool sets it itself", instead="state `image: {image: …, entrypoint: […]}` instead"
        ),
    ),
    "--publish": (Rule(_PORT, instead="state `listen` and `port` instead"),),
    "--publish-all": (Rule(_PORT, _ON, "state `listen` and `port` instead"),),
    "--network": (
        Rule(_HOST_NETWORK, "(name=)?host", _ON_HOST_NETWORK),
        Rule("no request would reach the engine there", "(name=)?(none|container:.*)"),
    ),
    "--gpus": (Rule(_GPUS, instead="state `gpus` instead"),),
    "--runtime": (Rule(_GPUS, "nvidia.*|amd.*", "state `gpus` instead"),),
    "--device": (Rule(_GPUS, _NVIDIA_OR_AMD, "state `gpus` instead"),),
    "--ipc": (
        Rule(
            "engines share no memory with the host",
            "host|container:.*|shareable",
            "state `container.shm_size` instead",
        ),
    ),
    "--privileged": (
        Rule(_WHOLE_HOST, _ON, "`gpus` gives it its GPUs, and `--device` any other device"),
    ),
    "--use-api-socket": (Rule(_WHOLE_HOST, _ON),),
    "--help": (Rule("Docker would print its help and start nothing", _ON),),
    "--label": (Rule("the tool knows its containers by these labels", r"xgen\..*"),),
}
# Options that have a setting.
_NAMED = {
    "--shm-size": "container.shm_size",
    "--volume": "container.mounts",
    "--mount": "container.mounts",
    "--env": "env",
    "--env-file": "env",
}
_LESS_SAFE = "it takes away a protection that engines run with here"
_WARNED = {
    "--cap-add": Rule(_LESS_SAFE),
    "--security-opt": Rule(_LESS_SAFE, "(?!label[=:]|no-new-privileges([=:]true)?$).*"),
    "--read-only": Rule(_LESS_SAFE, _OFF),
    "--pid": Rule(_LESS_SAFE),
    "--uts": Rule(_LESS_SAFE),
    "--cgroupns": Rule(_LESS_SAFE, "host"),
    "--userns": Rule(_LESS_SAFE, "host"),
}
_LEAST_SHM = 1 << 20
_EITHER = (("ro", "rw"), ("z", "Z"))
_SOCKETS = ("docker.sock", "containerd.sock", "podman.sock")


def check_container(instance: InstanceConfig, problems: Problems) -> None:
    mark = instance.marks.get("container.args", instance.marks[""])
    for option in docker_options(instance.container.args or ()):
        if isinstance(option, NoOption):
            problems.add(mark, f"container.args has `{option.text}`, and {_STRAY}")
        elif " " in option.written or option.value.startswith(" "):
            item = option.written + option.value if " " not in option.written else option.written
            problems.add(mark, f"container.args has `{item}` as one item; {_ITEMS}")
        elif option.lacks:
            problems.add(mark, f"container.args ends with `{option.written}`; {_NO_VALUE}")
        else:
            for refusal in _refusals(option):
                problems.add(mark, f"container.args has {_shown(option)}, but {refusal}")
            for remark in _remarks(option):
                problems.warn(mark, f"container.args has {_shown(option)}{remark}")
    _check_mounts(instance, problems)
    size = instance.container.shm_size
    if size is not None and size.isdecimal() and int(size) < _LEAST_SHM:
        place = instance.marks.get("container.shm_size", mark)
        problems.add(place, f"container.shm_size is {size} bytes; state a unit: `{size}g`")


def _check_mounts(instance: InstanceConfig, problems: Problems) -> None:
    mark = instance.marks.get("container.mounts", instance.marks[""])
    for mount in instance.container.mounts or ():
        named = f"container.mounts has `{mount}`"
        source, options = mount.split(":")[0], mount_options(mount)
        for pair in _EITHER:
            if options.issuperset(pair):
                problems.add(mark, f"{named}; of {' and '.join(pair)} a mount has one")
        if _gives_host(source):
            problems.warn(mark, f"{named}: {_WHOLE_HOST}")


def _refusals(option: DockerOption) -> Iterator[str]:
    rules = _REFUSED.get(option.name, ())
    return (f"{rule.why}; {rule.instead}" for rule in rules if rule.holds(option.value))


def _remarks(option: DockerOption) -> Iterator[str]:
    if option.name not in KNOWN:
        yield f", and `docker run` of Docker 28 has no such option.{nearest(option.name, KNOWN)}"
    if option.name in _NAMED:
        host = any(_gives_host(source) for source in _sources(option))
        also = f", and {_WHOLE_HOST}" if host else ""
        yield f", but its setting is `{_NAMED[option.name]}`{also}"
    rule = _WARNED.get(option.name)
    if rule and rule.holds(option.value):
        yield f": {rule.why}"


def _shown(option: DockerOption) -> str:
    """An option by the part of its value that matters; that of a variable may be a secret."""
    if option.name in ("--network", "--device", "--runtime", "--security-opt", "--ipc", "--label"):
        return f"`{option.written}={option.value}`"
    if option.value == _OFF:
        return f"`{option.written}=false`"
    return f"`{option.written}`"


def _sources(option: DockerOption) -> tuple[str, ...]:
    """Paths on the host that an option shows to the engine."""
    if option.name == "--volume":
        return (option.value.split(":")[0],)
    if option.name == "--mount":
        fields = (field.partition("=") for field in option.value.split(","))
        return tuple(value for key, _, value in fields if key in ("source", "src"))
    return ()


def _gives_host(source: str) -> bool:
    return re.fullmatch("/+", source) is not None or source.endswith(_SOCKETS)
