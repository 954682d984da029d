"""`${KEY}` in a manifest: typed, whole, per host; `-e` over the inventory's."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import pytest

from xgen_deploy.backends.registry import engine_words
from xgen_deploy.manifest.diagnostics import ManifestError
from xgen_deploy.manifest.load import load_site
from xgen_deploy.state.instance_config import InstanceConfig
from xgen_deploy.state.site import Site

INVENTORY = """\
all:
  vars:
    other: "{{ x }}"
    xgen_vars: {ctx: 4096, model: /m/all.gguf, gate: 9000, pick: [0], on: yes}
  children:
    gpu:
      hosts:
        b:
          xgen_vars: {ctx: 1024, pci: 0000:41:00.0, pick: [0, 1]}
    cpu: {hosts: {a: }}
"""
MANIFEST = """\
project: p
inventory: inventory.yaml
images: {llama: i}
gateway: {host: a, port: "${gate}"}
models:
  q:
    source: ${model}
    n_ctx: ${ctx}
    llama: {mlock: "${on}", extra_args: [--label, "${ctx}x", "$${ctx}"]}
    env: {PLAIN: "a ${ctx}", TEXT: "$${model}"}
hosts:
  a: [{model: q}]
  gpu: [{model: q, gpus: "${pick}"}]
"""


def _site(folder: Path, manifest: str = MANIFEST, variables: Sequence[str] = ()) -> Site:
    (folder / "inventory.yaml").write_text(INVENTORY)
    (folder / "group_vars").mkdir(exist_ok=True)
    (folder / "group_vars" / "gpu.yml").write_text("xgen_vars: {model: /m/gpu.gguf}\n")
    path = folder / "site.yaml"
    path.write_text(manifest)
    return load_site(str(path), engine_words(), variables=variables)


def _on(site: Site, host: str) -> InstanceConfig:
    (config,) = site.on(host)
    return config


def test_a_host_s_are_over_its_group_s_over_all_s(tmp_path: Path) -> None:
    site = _site(tmp_path)
    a, b = _on(site, "a"), _on(site, "b")
    assert (a.source, a.n_ctx, a.gpus) == ("/m/all.gguf", 4096, None)
    assert (b.source, b.n_ctx, b.gpus) == ("/m/gpu.gguf", 1024, (0, 1))
    assert site.gateway is not None
    assert site.gateway.port == 9000


def test_values_are_typed_and_the_text_itself_has_two_signs(tmp_path: Path) -> None:
    a = _on(_site(tmp_path), "a")
    assert a.llama.mlock is True
    assert a.llama.extra_args == ("--label", "${ctx}x", "${ctx}")
    assert a.env == {"PLAIN": "a ${ctx}", "TEXT": "${model}"}
    manifest = MANIFEST.replace("{model: q}]", '{model: q, gpus: ["${pci}"]}]')
    with pytest.raises(ManifestError, match="no variable `pci` for a: "):
        _site(tmp_path, manifest)
    b = _on(_site(tmp_path, MANIFEST.replace('"${pick}"', '["${pci}"]')), "b")
    assert b.gpus == ("0000:41:00.0",), "text, as in a manifest"


def test_the_command_line_s_are_over_all_of_them(tmp_path: Path) -> None:
    (tmp_path / "more.yaml").write_text("ctx: 2048\nmodel: /m/file.gguf\n")
    more = f"@{tmp_path}/more.yaml"
    given = (more, "ctx=512", "pick=[1]", "gate=8443", "on=no")
    site = _site(tmp_path, variables=given)
    a, b = _on(site, "a"), _on(site, "b")
    assert (a.n_ctx, b.n_ctx, a.source, b.gpus) == (512, 512, "/m/file.gguf", (1,))
    assert a.llama.mlock is False
    assert site.gateway is not None
    assert site.gateway.port == 8443
    assert site.manifest_digest != _site(tmp_path).manifest_digest
    assert str(tmp_path / "more.yaml") in site.files


def test_an_empty_one_is_not_stated(tmp_path: Path) -> None:
    assert _on(_site(tmp_path, variables=["ctx="]), "a").n_ctx is None


def test_a_placement_may_state_what_its_model_leaves_to_a_variable(tmp_path: Path) -> None:
    manifest = MANIFEST.replace("${on}", "${nowhere}").replace(
        "[{model: q}]", "[{model: q, llama: {mlock: no}}]"
    )
    with pytest.raises(ManifestError) as told:
        _site(tmp_path, manifest)
    assert [p.message.partition(":")[0] for p in told.value.problems] == [
        "no variable `nowhere` for b"
    ]
    assert "-e nowhere=VALUE" in str(told.value)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("x", "-e x: this is KEY=VALUE or @FILE"),
        ("a-b=1", "-e a-b=1: this is KEY=VALUE"),
        ("ctx=[", "-e ctx:2:1: YAML syntax"),
        (
            "ctx=many",
            "found the text `many`; expected a whole number, or auto (`${ctx}`, from -e ctx:1:1)",
        ),
        ("@gone.yaml", "gone.yaml: there is no such file; expected a file of variables"),
    ],
)
def test_what_cannot_be_one_is_told(tmp_path: Path, given: str, told: str) -> None:
    with pytest.raises(ManifestError) as caught:
        _site(tmp_path, variables=[given])
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("written", "instead"),
    [
        ('{PLAIN: "a ${ctx}", TEXT: "$${model}"}', "{PLAIN: '${ref}'}"),
        ("{host: a, port: '${gate}'}", "{host: a, clients: {team: '${ref}'}}"),
    ],
)
def test_none_makes_a_secret_s_reference(tmp_path: Path, written: str, instead: str) -> None:
    """An inventory would have its command run here."""
    manifest = MANIFEST.replace('"${gate}"', "'${gate}'").replace(written, instead)
    with pytest.raises(ManifestError) as caught:
        _site(tmp_path, manifest, variables=["ref={command: id}"])
    assert "`${ref}`: a secret's reference takes no variable" in str(caught.value)


@pytest.mark.parametrize("section", ["gateway", "notify"])
def test_none_is_a_section(tmp_path: Path, section: str) -> None:
    manifest = MANIFEST.replace("gateway:", "x-gateway:") + f"{section}: ${{all}}\n"
    with pytest.raises(ManifestError) as caught:
        _site(tmp_path, manifest, variables=["all={}"])
    assert "`${all}`: a variable is one value, not a section" in str(caught.value)


def test_one_that_the_manifest_does_not_use_is_a_warning(tmp_path: Path) -> None:
    (warning,) = _site(tmp_path, variables=["cxt=5"]).warnings
    assert warning == "-e cxt:1:1: the manifest has no `${cxt}`"


def test_a_manifest_without_variables_has_the_digest_that_it_had(tmp_path: Path) -> None:
    path = tmp_path / "plain.yaml"
    path.write_text("project: p\nmodels: {q: {source: /m/q}}\nhosts: {h: [{model: q}]}\n")
    content = sha256(path.read_bytes()).digest()
    assert load_site(str(path), engine_words()).manifest_digest == sha256(content).hexdigest()
