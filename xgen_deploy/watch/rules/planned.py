"""Work that was planned: what is concerned by it alerts nobody. Pure.

It lies in the expressions, so that it holds for whichever Alertmanager the alerts go to.
"""

from xgen_deploy.watch.rules.alert import Group, Record

INSTANCE = "project, host, instance, model"

# A change counts until its deadline, however long it says that it is in progress.
_CHANGE = """\
max by (project, host) (xgen_change_in_progress == 1)
and on (project, host)
max by (project, host) (xgen_change_deadline_timestamp_seconds) > time()"""

# What a host said last counts while it is silent, so that one in maintenance may be switched off.
_SILENT = 'and on (project, host) (up{job="xgen"} == 0)'
_HOST = f"""\
max by (project, host) (xgen_maintenance{{gpu_uuid=""}} == 1)
or
xgen:host_planned {_SILENT}"""
_KNOWN = f"""\
max by (project, host, instance, model) (xgen_instance_info)
or
xgen:instance_known {_SILENT}"""

_INSTANCE = """\
max by (project, host, instance, model) (
  xgen_instance_stopped_by_intent == 1
  or
  xgen:instance_known * on (project, host) group_left () xgen:change_planned
  or
  xgen:instance_known * on (project, host) group_left () xgen:host_planned
  or
  xgen_instance_info{gpu_uuid!=""} * on (project, host, gpu_uuid) group_left () xgen:gpu_planned
)"""

# All its instances, wherever they are.
_MODEL = """\
count by (project, model) (xgen:instance_planned)
>=
count by (project, model) (xgen:instance_known)"""

PLANNED = Group(
    "xgen-planned",
    (
        Record("xgen:change_planned", _CHANGE),
        Record("xgen:host_planned", _HOST),
        Record(
            "xgen:gpu_planned",
            'max by (project, host, gpu_uuid) (xgen_maintenance{gpu_uuid!=""} == 1)',
        ),
        Record("xgen:instance_known", _KNOWN),
        Record("xgen:instance_planned", _INSTANCE),
        Record("xgen:model_planned", _MODEL),
    ),
)


def but_planned(expr: str) -> str:
    """Of an instance."""
    return f"{expr}\nunless on (project, host, instance) xgen:instance_planned"


def but_planned_host(expr: str) -> str:
    return f"{expr}\nunless on (project, host) (xgen:change_planned or xgen:host_planned)"


def but_planned_gpu(expr: str) -> str:
    return (
        f"{expr}\nunless on (project, host, gpu_uuid) xgen:gpu_planned"
        "\nunless on (project, host) xgen:host_planned"
    )


def but_planned_model(expr: str) -> str:
    return f"{expr}\nunless on (project, model) xgen:model_planned"
