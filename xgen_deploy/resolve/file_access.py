"""Whether an engine can reach a model's files from where it runs. Pure."""

from xgen_deploy.state.facts import ModelFacts
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.refuse import refuse

# Of every unit its own: PrivateTmp= in the template.
_OWN_OF_A_UNIT = ("/tmp/", "/var/tmp/")  # noqa: S108 - nothing is written there


def check_access(declared: InstanceConfig, facts: ModelFacts, name: str, field: str) -> None:
    """`name` is what the files are called in a sentence, `field` where the manifest states them.
    Raises Refused.
    """
    if declared.runtime == "process":  # as the login itself, which saw them
        return
    closed, links = facts.closed_file, facts.links
    if declared.runtime == "systemd":
        closed = closed or facts.closed_folder
    elif not _in_further_groups(declared):  # of the host a container sees the model's folder alone
        closed = closed or facts.closed_inside or (links.closed if links else None)
    if closed is not None:
        bits = "o+rX" if closed == facts.closed_file else "o+x"
        raise refuse(
            declared,
            f"{name}: the engine, which runs as its own user, may not read {closed}",
            f"Run on the host: `chmod {bits} {closed}`.",
            field,
        )
    if declared.runtime == "docker" and links is not None and links.lost is not None:
        raise refuse(
            declared,
            f"{name}: {links.lost}, and a container cannot be given what that leads to under the "
            "same path",
            f"Name the file or folder itself as `{field}`, or link to it by an absolute path "
            "outside of the system's folders.",
            field,
        )
    real = facts.real_path or facts.path or ""
    if declared.runtime == "systemd" and real.startswith(_OWN_OF_A_UNIT):
        raise refuse(
            declared,
            f"{name}: it is in {real}, and a unit has a /tmp and a /var/tmp of its own",
            "Move it, for example to /srv/models.",
            field,
        )


def _in_further_groups(declared: InstanceConfig) -> bool:
    """Whether `container.args` may let its user pass where others may not."""
    return any(arg.startswith("--group-add") for arg in declared.container.args or ())
