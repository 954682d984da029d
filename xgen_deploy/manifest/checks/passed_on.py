"""What a manifest passes on as it is, to `docker run` and into an engine's environment, where the
tool has a word of its own.
"""

from collections.abc import Iterable

from xgen_deploy.manifest.checks.container_args import check_container
from xgen_deploy.manifest.diagnostics import Problems
from xgen_deploy.state.instance_config import InstanceConfig

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
        for name in (n for n in _DEVICES if n in instance.env):
            problems.warn(
                instance.marks.get(f"env.{name}", instance.marks[""]),
                f"`{name}` goes over what the tool sets for `gpus`: the engine may use other GPUs "
                "than the plan shows",
            )
