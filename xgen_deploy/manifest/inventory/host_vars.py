"""A Host from its inventory variables: those that are used are checked, those that must not be
ignored are refused, all others are ignored."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from xgen_deploy.frozen import Frozen, replace
from xgen_deploy.manifest.archives import with_archives
from xgen_deploy.manifest.diagnostics import Problems, listing, nearest
from xgen_deploy.manifest.error_messages import report
from xgen_deploy.manifest.images import absolute_images
from xgen_deploy.manifest.inventory.load import Variables
from xgen_deploy.manifest.inventory.refused_vars import refusal
from xgen_deploy.manifest.inventory.ssh_arguments import checked_ssh_arguments, ssh_arguments
from xgen_deploy.manifest.node import (
    ListNode,
    MapNode,
    Node,
    ScalarNode,
    is_null,
    marks_of,
    plain,
    without,
)
from xgen_deploy.manifest.text_rules import refuse_control_characters
from xgen_deploy.manifest.variables import KEY as VARIABLES
from xgen_deploy.state.engine_words import EngineWords
from xgen_deploy.state.fetch import PEER_PORT, FetchMode
from xgen_deploy.state.field_types import (
    Flag,
    HostPath,
    NotNegative,
    PeerAddress,
    Port,
    Ports,
    Word,
    flag,
)
from xgen_deploy.state.host import Host
from xgen_deploy.state.instance_config import Mark
from xgen_deploy.state.settings import Binary, GPURef, Image, Runtime, TableKey

_ALIASES = {
    "ansible_ssh_host": "ansible_host",
    "ansible_ssh_port": "ansible_port",
    "ansible_ssh_user": "ansible_user",
    "ansible_private_key_file": "ansible_ssh_private_key_file",
}


def _short(value: object) -> object:
    """Ansible's own plugins also have a long name."""
    return value.removeprefix("ansible.builtin.") if isinstance(value, str) else value


def _connection(value: object) -> object:
    return "ssh" if _short(value) in ("smart", "paramiko", "paramiko_ssh") else _short(value)


def _number(value: object) -> object:
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def _python(value: object) -> object:
    """`/usr/bin/env python3` is the `python3` of the login's PATH."""
    if not isinstance(value, str):
        return value
    return re.sub(r"^/(?:usr/)?bin/env +(?=[^\s/=-]+$)", "", value)


def _count(value: object) -> object:
    value = flag(value)
    return int(value) if isinstance(value, bool) else value


_GPUKey = Annotated[GPURef, BeforeValidator(_number)]  # a key is a text, and an index is none
SSHArgumentsText = Annotated[str, AfterValidator(checked_ssh_arguments)]


class HostVariables(Frozen):
    """The variables that are used, named as in an inventory."""

    ansible_host: Word | None = None
    ansible_port: Annotated[Port, BeforeValidator(_number)] | None = None
    ansible_user: Word | None = None
    ansible_ssh_private_key_file: str | None = None
    ansible_connection: Annotated[Literal["ssh", "local"], BeforeValidator(_connection)] = "ssh"
    ansible_become: Flag | None = None
    ansible_become_user: Literal["root"] = "root"
    ansible_become_method: Annotated[Literal["sudo"], BeforeValidator(_short)] = "sudo"
    ansible_python_interpreter: Annotated[Word, BeforeValidator(_python)] | None = None
    ansible_ssh_args: SSHArgumentsText = ""
    ansible_ssh_common_args: SSHArgumentsText = ""
    ansible_ssh_extra_args: SSHArgumentsText = ""
    xgen_runtime: Runtime | None = None
    xgen_ports: Ports | None = None
    xgen_images: dict[TableKey, Image] = Field(default_factory=dict)
    xgen_binaries: dict[TableKey, Binary] = Field(default_factory=dict)
    xgen_address: Word | None = None
    xgen_model_dir: HostPath = "/srv/models"
    xgen_hf_home: HostPath | None = None
    xgen_reserved_gpus: tuple[GPURef, ...] = ()
    xgen_reserved_mb: Annotated[
        NotNegative | dict[_GPUKey, NotNegative] | None, BeforeValidator(_number)
    ] = None
    xgen_fetch: FetchMode | None = None
    xgen_egress: Flag | None = None
    xgen_site: Word | None = None
    xgen_peer_address: PeerAddress | None = None
    xgen_peer_port: Annotated[Port, BeforeValidator(_number)] = PEER_PORT
    xgen_software_gpu: Annotated[NotNegative, BeforeValidator(_count)] = 0


def describe_host(
    name: str,
    groups: tuple[str, ...],
    variables: Variables,
    mark: Mark,
    words: EngineWords,
    problems: Problems,
) -> tuple[Host, dict[str, Mark]]:
    """The host, and where each used variable was written (`xgen_images.nvidia` -> mark)."""
    used = used_variables(variables, problems)
    tree = MapNode(used, mark)
    refuse_control_characters(tree, problems)
    stated, tree = _sound(tree, words, problems)
    marks = dict(marks_of(tree))
    table = {str(key): binary for key, binary in stated.xgen_binaries.items()}
    host = with_archives(_host(name, groups, stated), table, marks, "xgen_binaries", problems)
    host = replace(host, images=absolute_images(host.images, marks, "xgen_images"))
    _check_home(host, marks, problems)
    return host, marks


def _sound(tree: MapNode, words: EngineWords, problems: Problems) -> tuple[HostVariables, MapNode]:
    """Wrong values are reported and left out, so that checks can go on with the rest."""
    for _ in tree.entries:
        try:
            return HostVariables.model_validate(plain(tree), context=words), tree
        except ValidationError as error:
            tree = without(tree, report(error, tree, HostVariables, problems))
    return HostVariables(), MapNode({}, tree.mark)


def used_variables(variables: Variables, problems: Problems) -> Variables:
    """Those that mean something here, by their present names."""
    used: Variables = {}
    known = HostVariables.model_fields
    for key, entry in variables.items():
        name = _ALIASES.get(key, key)
        if is_null(entry.node) or key == VARIABLES:
            continue
        if name not in known:
            if key.startswith("xgen_"):
                xgen = [*(field for field in known if field.startswith("xgen_")), VARIABLES]
                message = f"unknown variable `{key}`.{nearest(key, xgen)}"
                problems.add(entry.mark, f"{message} Known: {listing(xgen)}")
            elif reason := refusal(key, entry.node):
                problems.add(entry.mark, f"{key} is not supported: {reason}")
        elif reason := _unreadable(entry.node):
            problems.add(entry.node.mark, f"{key}: {reason}")
        else:
            used[name] = entry
    return used


def _unreadable(node: Node) -> str:
    if node.tag == "!vault":
        return "`!vault` values are not supported; write the plain value, which is not a secret"
    if node.tag and node.tag != "!unsafe":
        return f"the tag `{node.tag}` is not supported; write the plain value"
    if isinstance(node, MapNode):
        children = [entry.node for entry in node.entries.values()]
    else:
        children = list(node.items) if isinstance(node, ListNode) else []
    if isinstance(node, ScalarNode) and any(sign in node.text for sign in ("{{", "{%")):
        return f"Jinja is not evaluated (`{node.text[:60]}`); write the value itself"
    return next((reason for child in children if (reason := _unreadable(child))), "")


def _host(name: str, groups: tuple[str, ...], stated: HostVariables) -> Host:
    python = stated.ansible_python_interpreter
    texts = (stated.ansible_ssh_args, stated.ansible_ssh_common_args, stated.ansible_ssh_extra_args)
    arguments = ssh_arguments(" ".join(texts))
    return Host(
        name=name,
        address=stated.ansible_host,
        port=stated.ansible_port,
        user=stated.ansible_user,
        private_key_file=stated.ansible_ssh_private_key_file,
        connection=stated.ansible_connection,
        become=stated.ansible_become,
        python=None if python and python.startswith("auto") else python,
        proxy_jump=arguments.proxy_jump,
        ssh_settings=arguments.settings,
        groups=groups,
        runtime=stated.xgen_runtime,
        ports=stated.xgen_ports,
        images={str(key): image for key, image in stated.xgen_images.items()},
        client_address=stated.xgen_address,
        model_dir=stated.xgen_model_dir,
        hf_home=stated.xgen_hf_home or stated.xgen_model_dir.rstrip("/") + "/hf",
        reserved_gpus=stated.xgen_reserved_gpus,
        reserved_mb=stated.xgen_reserved_mb,
        software_gpu=stated.xgen_software_gpu,
        fetch=stated.xgen_fetch,
        egress=stated.xgen_egress,
        site=stated.xgen_site,
        peer_address=stated.xgen_peer_address,
        peer_port=stated.xgen_peer_port,
    )


def _check_home(host: Host, marks: dict[str, Mark], problems: Problems) -> None:
    if host.connection == "local":
        return
    for key, path in (("xgen_model_dir", host.model_dir), ("xgen_hf_home", host.hf_home)):
        if path.startswith("~") and key in marks:
            problems.add(
                marks[key],
                f"{key}: `~/` is for local connections only; write a path that begins with `/`",
            )
