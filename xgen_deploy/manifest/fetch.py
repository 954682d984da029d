"""The manifest's `fetch:`, with paths and secrets as seen from its files."""

import ipaddress
from urllib.parse import urlsplit

from xgen_deploy.frozen import replace
from xgen_deploy.manifest.diagnostics import Problems
from xgen_deploy.manifest.file_text import absolute_path, absolute_secret
from xgen_deploy.manifest.node import MapNode
from xgen_deploy.manifest.sections import Sections
from xgen_deploy.state.fetch import FetchSettings
from xgen_deploy.state.settings import SecretRef


def fetch_settings(sections: Sections, problems: Problems) -> FetchSettings:
    stated, part = sections.manifest.fetch, sections.part("fetch")
    if stated is None:
        return FetchSettings()
    if stated.token is not None and stated.protocol == "modelscope":
        problems.add(
            part.key_mark("token"),
            "`fetch.token` is for hubs that speak as Hugging Face does; of ModelScope only what is "
            "open to all is brought",
        )
    elif stated.token is not None and stated.endpoint is not None:
        _check_token(stated.endpoint, part, problems)
    token, proxy, ca = stated.token, stated.proxy, stated.ca
    return replace(
        stated,
        token=token and absolute_secret(token, part.key_mark("token")),
        proxy=absolute_secret(proxy, part.key_mark("proxy"))
        if isinstance(proxy, SecretRef)
        else proxy,
        ca=ca and absolute_path(ca, part.key_mark("ca")),
    )


def _check_token(endpoint: str, part: MapNode, problems: Problems) -> None:
    """It goes to nobody whom it was not stated for, and never where all can read it."""
    mark, beside = part.key_mark("endpoint"), part.key_mark("token")
    if beside.file != mark.file:
        problems.add(
            mark,
            f"`fetch.token` is stated in {beside.file}, for another hub; state the token of "
            f"{endpoint} beside it, or `token: null`",
        )
    elif endpoint.startswith("http://") and not _is_loopback(endpoint):
        problems.add(
            mark,
            f"`fetch.token` would go over plain http to {endpoint}; serve it by https, or leave "
            "the token out",
        )


def _is_loopback(endpoint: str) -> bool:
    host = urlsplit(endpoint).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
