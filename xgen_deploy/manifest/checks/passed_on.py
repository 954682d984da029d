"""What a manifest passes on as it is, to `docker run` and into an engine's environment, where the
tool has a word of its own.
"""

from collections.abc import Iterable

from xgen_deploy.manifest.checks.container_args import check_container
from xgen_deploy.manifest.diagnostics import Problems
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.settings import ENGINE_SETTINGS

# Variables by which an engine is shown its GPUs.
_DEVICES = (
    "CUDA_VISIBLE_DEVICES",
    "NVIDIA_VISIBLE_DEVICES",
    "HIP_VISIBLE_DEVICES",
    "ROCR_VISIBLE_DEVICES",
    "GGML_VK_VISIBLE_DEVICES",
    "MTMD_BACKEND_DEVICE",
)


def check_passed_on(instances: Iterable[InstanceConfig], problems: Problems) -> None:
    for instance in instances:
        if instance.runtime == "docker":
            check_container(instance, problems)
        _check_options(instance, problems)
        for name in (n for n in _DEVICES if n in instance.env):
            problems.warn(
                instance.marks.get(f"env.{name}", instance.marks[""]),
                f"`{name}` goes over what the tool sets for `gpus`: the engine may use other GPUs "
                "than the plan shows",
            )


def _check_options(instance: InstanceConfig, problems: Problems) -> None:
    """Variables that engines read as options. Where the tool writes the option too, it holds, and
    the variable does nothing; where not, the engine does what the plan does not show.
    """
    for name in instance.env:
        mark = instance.marks.get(f"env.{name}", instance.marks[""])
        for settings in ENGINE_SETTINGS.values():
            option = settings.options.option_of(name)
            if option is None:
                continue
            for _, instead in settings.options.own_in((option,)):
                problems.add(mark, f"`{name}` is `{option}`, but {instead}")
            for _, field in settings.options.named_in((option,)):
                problems.warn(mark, f"`{name}` is `{option}`, but its setting is `{field}`")
