"""What a manifest passes on as it is, to `docker run` and into an engine's environment, where the
tool has a word of its own.
"""

from collections.abc import Iterable

from xgen_deploy.manifest.diagnostics import Problems
from xgen_deploy.state.instance_config import InstanceConfig

# Options of `docker run` that the unit could not live with, and why.
_FATAL = {
    "--name": "the unit finds its container by the name that the tool gives it",
    "-d": "the unit would lose its container",
    "--detach": "the unit would lose its container",
    "--restart": "the unit starts it again",
}
# Those that have a setting.
_NAMED = {
    "--gpus": "gpus",
    "--shm-size": "container.shm_size",
    "--entrypoint": "image",
    "--env-file": "env",
    "--pull": "pull",
}
# Variables by which an engine is shown its GPUs.
_DEVICES = (
    "CUDA_VISIBLE_DEVICES",
    "HIP_VISIBLE_DEVICES",
    "ROCR_VISIBLE_DEVICES",
    "GGML_VK_VISIBLE_DEVICES",
    "MTMD_BACKEND_DEVICE",
)


def check_passed_on(instances: Iterable[InstanceConfig], problems: Problems) -> None:
    for instance in instances:
        _check_docker(instance, problems)
        for name in (n for n in _DEVICES if n in instance.env):
            problems.warn(
                instance.marks.get(f"env.{name}", instance.marks[""]),
                f"`{name}` goes over what the tool sets for `gpus`: the engine may use other GPUs "
                "than the plan shows",
            )


def _check_docker(instance: InstanceConfig, problems: Problems) -> None:
    if instance.runtime != "docker":
        return
    mark = instance.marks.get("container.args", instance.marks[""])
    for argument in instance.container.args or ():
        option = argument.partition("=")[0]
        if option in _FATAL:
            problems.add(mark, f"container.args has `{option}`, but {_FATAL[option]}")
        elif option in _NAMED:
            named = f"its setting is `{_NAMED[option]}`"
            problems.warn(mark, f"container.args has `{option}`, but {named}")
