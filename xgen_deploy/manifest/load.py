"""From a manifest's path to a checked site."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from xgen_deploy.frozen import replace
from xgen_deploy.manifest.accept import with_recorded
from xgen_deploy.manifest.archives import with_archives
from xgen_deploy.manifest.checks.names import check_names
from xgen_deploy.manifest.checks.passed_on import check_passed_on
from xgen_deploy.manifest.checks.ports import check_ports
from xgen_deploy.manifest.checks.site import check_instances, check_models
from xgen_deploy.manifest.checks.spread import check_spread
from xgen_deploy.manifest.checks.unused import check_unused
from xgen_deploy.manifest.diagnostics import Problems
from xgen_deploy.manifest.expand import (
    MergedPlacement,
    instance_configs,
    merged_placements,
    placements_by_host,
    placements_of,
)
from xgen_deploy.manifest.extends import read_manifest
from xgen_deploy.manifest.fetch import fetch_settings
from xgen_deploy.manifest.file_text import Files, absolute_path, absolute_secret
from xgen_deploy.manifest.gateway import check_clients, check_runtime, gateway_hosts, whole_gateway
from xgen_deploy.manifest.images import absolute_image
from xgen_deploy.manifest.inventory.hosts import Hosts, find_inventory
from xgen_deploy.manifest.lock_file import read_lock
from xgen_deploy.manifest.monitoring import (
    check_monitoring,
    check_programs,
    monitoring_host,
    whole_monitoring,
)
from xgen_deploy.manifest.node import Entry, ListNode, MapNode, marks_of
from xgen_deploy.manifest.sections import Sections
from xgen_deploy.manifest.serve import serve_section
from xgen_deploy.manifest.site_views import SiteViews
from xgen_deploy.manifest.text_rules import (
    refuse_control_characters,
    refuse_tags,
    refuse_templates,
)
from xgen_deploy.manifest.variables import given_variables
from xgen_deploy.state.engine_words import EngineWords
from xgen_deploy.state.instance_config import Mark
from xgen_deploy.state.settings import Audit, BinaryArchive, Image, Notify, Registry
from xgen_deploy.state.site import Site


@dataclass(frozen=True)
class Reading:
    """A manifest and its inventory as read: merged, not checked as a whole yet. `placements` are in
    the manifest's order, each merged over its model and the defaults; `gateway_marks` say where
    each host of the gateway was named, and `monitoring_marks` the same of the monitoring host."""

    path: str
    variables: Sequence[str]
    files: Files
    hosts: Hosts
    views: SiteViews
    placements: tuple[MergedPlacement, ...]
    gateway_marks: dict[str, Mark]
    monitoring_marks: dict[str, Mark]
    problems: Problems


def read(
    path: str,
    words: EngineWords,
    *,
    inventory: tuple[str, ...] = (),
    variables: Sequence[str] = (),
    edited: Mapping[str, bytes] = MappingProxyType({}),
) -> Reading:
    """Reads a manifest, the manifests it extends, and its inventory or the given ones. `words` are
    the engines that it may name, `variables` those of the command line, `edited` the files that are
    read as they would be.

    Raises ManifestError where nothing of a file can be read.
    """
    problems, files = Problems(), Files(edited)
    written = read_manifest(path, files, problems)
    _refuse_odd_text(written, problems)
    described = find_inventory(written, inventory, files, problems)
    hosts = Hosts(described, files, words, problems)
    given = given_variables(variables, files, problems)
    views = SiteViews(written, given, hosts, problems)
    by_host = placements_by_host(views.whole, hosts)
    gateway_marks = gateway_hosts(views.whole, hosts, problems)
    monitoring_marks = monitoring_host(views.whole, hosts, problems)
    placed = {host: node.mark for host, node in by_host.items()}
    hosts.describe(placed | gateway_marks | monitoring_marks)
    placements = tuple(
        merged
        for host in by_host
        for merged in merged_placements(
            host, placements_of(host, views, by_host, hosts), views, problems
        )
    )
    return Reading(
        path,
        variables,
        files,
        hosts,
        views,
        placements,
        gateway_marks,
        monitoring_marks,
        problems,
    )


def load_site(
    path: str,
    words: EngineWords,
    *,
    inventory: tuple[str, ...] = (),
    variables: Sequence[str] = (),
    edited: Mapping[str, bytes] = MappingProxyType({}),
) -> Site:
    """The same, checked. Raises ManifestError with every problem that can be found without a
    host."""
    reading = read(path, words, inventory=inventory, variables=variables, edited=edited)
    return checked_site(reading)


def checked_site(reading: Reading) -> Site:
    """Raises ManifestError."""
    problems, hosts, views = reading.problems, reading.hosts, reading.views
    sections, words = views.whole, hosts.words
    check_clients(sections, problems)
    check_runtime(sections, reading.gateway_marks, hosts, problems)
    _add_archives(sections, hosts, problems)
    instances = [
        instance
        for merged in reading.placements
        for instance in instance_configs(merged, sections, hosts, problems)
    ]
    for view in views.all():
        check_models(view, problems)
    instances = [with_recorded(one, reading.files, problems) for one in instances]
    gateway = whole_gateway(sections, reading.gateway_marks)
    check_instances(instances, hosts.known, words, problems)
    check_names(instances, sections.names("models"), words, problems)
    check_passed_on(instances, problems)
    check_spread(instances, problems)
    check_ports(instances, gateway, sections.part("gateway"), problems)
    on = reading.monitoring_marks
    check_monitoring(sections, on, instances, reading.gateway_marks, hosts, problems)
    check_programs(sections, hosts, problems)
    check_unused(reading.path, sections, instances, hosts.known, problems)
    fetch = fetch_settings(sections, problems)
    views.warn_of_unused()
    views.explain()
    lock = read_lock(reading.path, reading.files, problems)
    serve = serve_section(sections, hosts, problems)
    problems.raise_if_any()
    return Site(
        project=sections.manifest.project,
        manifest_file=reading.path,
        manifest_digest=_digest(reading.files, reading.variables),
        files=tuple(dict.fromkeys(name for name, _ in reading.files.read)),
        runtime=sections.manifest.runtime,
        pull=sections.manifest.pull,
        images=_images(sections),
        binaries={
            k: path for k, path in sections.manifest.binaries.items() if isinstance(path, str)
        },
        registries=_registries(sections),
        hosts=hosts.known,
        groups=hosts.groups(),
        declared=tuple(instances),
        gateway=gateway,
        monitoring=whole_monitoring(sections, reading.monitoring_marks),
        fetch=fetch,
        lock=lock,
        packages=_packages(sections),
        notify=_notify(sections),
        audit=_audit(sections),
        serve=serve,
        warnings=tuple(problems.warnings),
    )


def _add_archives(sections: Sections, hosts: Hosts, problems: Problems) -> None:
    """The manifest's engine builds in archives: where they lie is each host's own."""
    table = {k: b for k, b in sections.manifest.binaries.items() if isinstance(b, BinaryArchive)}
    marks = dict(marks_of(sections.part("binaries"), "binaries."))
    for name, host in list(hosts.known.items()) if table else ():
        hosts.known[name] = with_archives(host, table, marks, "binaries", problems)


def _refuse_odd_text(written: MapNode, problems: Problems) -> None:
    entries: dict[str, Entry] = {k: e for k, e in written.entries.items() if k != "inventory"}
    tree = MapNode(entries, written.mark, written.tag)
    refuse_control_characters(tree, problems)
    refuse_tags(tree, problems)
    refuse_templates(tree, problems)


def _digest(files: Files, variables: Sequence[str]) -> str:
    """SHA-256 over the contents in the order of reading, without the names, and what the command
    line gave."""
    whole = hashlib.sha256()
    values = (v.encode() for v in variables if not v.startswith("@"))
    for content in (*(content for _, content in files.read), *values):
        whole.update(hashlib.sha256(content).digest())
    return whole.hexdigest()


def _images(sections: Sections) -> dict[str, Image]:
    marks = dict(marks_of(sections.part("images")))
    return {
        str(key): absolute_image(image, str(key), marks)
        for key, image in sections.manifest.images.items()
    }


def _registries(sections: Sections) -> dict[str, Registry]:
    marks = dict(marks_of(sections.part("registries")))
    return {
        name: replace(login, password=absolute_secret(login.password, marks[f"{name}.password"]))
        for name, login in sections.manifest.registries.items()
    }


def _packages(sections: Sections) -> tuple[str, ...]:
    node = sections.sound.get("packages")
    items = node.items if isinstance(node, ListNode) else ()
    stated = zip(sections.manifest.packages, items, strict=True)
    return tuple(absolute_path(pattern, item.mark) for pattern, item in stated)


def _notify(sections: Sections) -> Notify | None:
    stated = sections.manifest.notify
    if stated is None or stated.webhook is None:
        return stated
    mark = sections.part("notify").key_mark("webhook")
    return Notify(webhook=absolute_secret(stated.webhook, mark))


def _audit(sections: Sections) -> Audit | None:
    stated, part = sections.manifest.audit, sections.part("audit")
    if stated is None:
        return None
    webhook, file = stated.webhook, stated.file
    return replace(
        stated,
        webhook=webhook and absolute_secret(webhook, part.key_mark("webhook")),
        file=file and absolute_path(file, part.key_mark("file")),
    )
