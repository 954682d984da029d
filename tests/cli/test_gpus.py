"""The table of `gpus`, for hosts with the fleets that the detection tests describe."""

from pathlib import Path

import pytest
from rich.text import Text

from tests.fleets.described import fleets
from tests.site_file import load_site
from xgen_deploy.cli.json_output import JsonOutput
from xgen_deploy.cli.options import Settings
from xgen_deploy.cli.screens.gpu_table import gpu_table
from xgen_deploy.cli.screens.screen import Screen
from xgen_deploy.documents.gpu_entries import gpu_entry, owners
from xgen_deploy.errors import UnreachableError
from xgen_deploy.state.facts import ContainerFacts, DockerFacts, EngineFacts, HostFacts
from xgen_deploy.state.gpu import Attempt, GPUDetectionResult, GPUProcess
from xgen_deploy.state.layout import system_layout
from xgen_deploy.state.observation import Observation, observation_of
from xgen_deploy.state.site import Site

FLEETS = fleets()
PLAIN = Settings(
    manifest="site.yaml", inventory=(), limit=(), json=False, quiet=False, verbose=False,
    ssh_config=None, accept_new_host_keys=False, ask_become_pass=False, output=JsonOutput(),
)  # fmt: skip
MANIFEST = """
project: demo
inventory: {all: {hosts: {h: {}}}}
models: {m: {source: /srv/models/m.gguf}}
hosts: {h: [{model: m, gpus: [0]}]}
"""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "site.yaml").write_text(MANIFEST)
    return load_site(str(tmp_path / "site.yaml"))


def observed(facts: HostFacts) -> Observation:
    return observation_of("h", facts, system_layout("demo"))


def host(fleet: str, *attempts: Attempt, **more: object) -> HostFacts:
    """What a host with a described fleet says of itself."""
    expect = FLEETS[fleet].expect
    told = [Attempt(detector=t.detector, ok=False, reason=t.reason) for t in expect.trouble]
    gpu = GPUDetectionResult(
        gpus=expect.gpus, detection_method=expect.method, attempts=(*told, *attempts)
    )
    common: dict[str, object] = {
        "probe": "python", "hostname": "h", "arch": "x86_64", "kernel": "6", "user": "root",
        "uid": 0, "now": 0.0, "cores": 8, "docker": DockerFacts(state="ok"), "gpu": gpu,
    }  # fmt: skip
    return HostFacts.model_validate(common | more)


def shown(site: Site, facts: HostFacts, *, verbose: bool = False) -> list[str]:
    lines = gpu_table(site, {"h": observed(facts)}, verbose=verbose)
    return [Text.from_markup(line).plain for line in lines]


def engine(backend: str, *entrypoint: str) -> EngineFacts:
    image = "registry/engine:1"
    words = entrypoint or ("/engine",)
    return EngineFacts(backend=backend, image=image, state="sha256:1", entrypoint=words)


def test_a_card_with_its_user_driver_and_what_it_can_run(site: Site) -> None:
    user = GPUProcess(pid=7, name="python", user="lena", memory_mb=12902)
    facts = host("rtx3090", engines=[engine("llama-server-cuda")],
                 docker=DockerFacts(state="ok", cdi_devices=("nvidia.com/gpu=all",)))  # fmt: skip
    card = facts.gpu.gpus[0].model_copy(update={"processes": (user,)})
    facts = facts.model_copy(update={"gpu": facts.gpu.model_copy(update={"gpus": (card,)})})
    assert shown(site, facts) == [
        "HOST  GPU  TYPE                     MEMORY USED / TOTAL          UTIL   USED BY",
        "h     0    NVIDIA GeForce RTX 3090  [..........]   1.0/24.0 GiB   42 %  python (lena, 12.6)",  # noqa: E501
        "      pynvml, driver 580.65.06, CDI ready",
        "      can run  llama-server-cuda (recommended)",
        "      not      vllm-cuda, llama-cpp-python: no image named",
        "",
        "1 GPU on 1 host.  n/m = not measurable",
    ]


def test_an_image_that_starts_something_else_is_not_ready(site: Site) -> None:
    facts = host("rtx3090", engines=[engine("llama-server-cuda", "/bin/bash")])
    assert any(
        "llama-server-cuda: the ENTRYPOINT of image registry/engine:1, `/bin/bash`, is a shell"
        in line
        for line in shown(site, facts)
    )


def test_a_lost_card_stands_out(site: Site) -> None:
    lines = shown(site, host("h100x8_one_lost"))
    assert "      LOST     GPU 3: GPU is lost" in lines
    assert [line.split()[0] for line in lines[2:8]] == ["1", "2", "4", "5", "6", "7"]
    assert lines[-1].startswith("7 GPUs on 1 host.")


def test_mig_instances_have_lines_of_their_own(site: Site) -> None:
    lines = shown(site, host("h100_mig"))
    assert lines[1:6] == [
        "h     0    NVIDIA H100 80GB HBM3  [..........]   0.1/79.6 GiB  n/m",
        "             MIG 3g.40gb          [..........]   0.0/39.5 GiB  n/m",
        "             MIG 1g.10gb          [#.........]   0.5/9.5 GiB   n/m   ? (?, 0.5)",
        "      1    NVIDIA H100 80GB HBM3  [..........]   0.0/79.6 GiB  n/m",
        "      pynvml, driver 570.124.06",
    ]
    assert "      GPU 0, MIG 1g.10gb: MIG-aaaaaaaa-0000-0000-0000-000000000002" in lines
    assert "      GPU 1: MIG is on, and no MIG instance was made" in lines
    assert lines[-1].startswith("2 GPUs on 1 host.")


def test_mig_instances_in_json() -> None:
    card = host("h100_mig").gpu.gpus[0]
    entry = gpu_entry(card, {}, None)
    assert (entry.mig_enabled, entry.mig) == (True, tuple(i.uuid for i in entry.mig_instances))
    big, small = entry.mig_instances
    assert (big.profile, big.memory_total_mb, big.processes) == ("3g.40gb", 40448, ())
    assert [p.pid for p in small.processes] == [999999999]


def test_shared_memory_is_told_apart(site: Site) -> None:
    lines = shown(site, host("strix_halo", memory_available_mb=22 << 10))
    assert "      gfx1151 APU   GTT 2.0/124.0 GiB; host RAM free 22 GiB" in lines


def test_what_cannot_be_measured_says_so(site: Site) -> None:
    lines = shown(site, host("gb10"))
    assert "NVIDIA GB10  n/m" in lines[1]
    assert any("may share the host's" in line for line in lines)
    assert "n/m" in shown(site, host("a100_no_utilization"))[1].split("GiB")[1]


def test_a_gfx_that_vllm_lacks_is_named(site: Site) -> None:
    lines = shown(site, host("rx6800"))
    assert "      not      vllm-rocm: gfx1030 is not among the GPUs that vLLM supports" in lines
    assert not any("no NVIDIA GPU" in line for line in lines)
    assert any("no NVIDIA GPU" in line for line in shown(site, host("rx6800"), verbose=True))


def test_ways_that_failed_before_one_worked_are_one_line(site: Site) -> None:
    tried = [("amdsmi", "amdsmi finds no libamd_smi.so (KeyError)"), ("torch.rocm", "too old")]
    facts = host("rx6800", *(Attempt(detector=d, ok=False, reason=r) for d, r in tried))
    said = "      tried    amdsmi finds no libamd_smi.so (KeyError); torch.rocm: too old -> amdsmi"
    assert said in shown(site, facts)


def test_a_host_without_a_gpu(site: Site) -> None:
    absent = Attempt(detector="pynvml", ok=False, reason="no NVIDIA driver", expected_absent=True)
    facts = host("amdsmi_key_error", absent)
    assert "h     -    no GPU  all detectors agree; nothing failed" in shown(site, facts)
    assert "no NVIDIA driver" not in "\n".join(shown(site, facts))
    assert "      tried    pynvml: no NVIDIA driver" in shown(site, facts, verbose=True)


def test_why_the_shell_asked_is_told(site: Site) -> None:
    facts = host("amdsmi_key_error", probe="sh", errors={"python": "no python3 was found"})
    assert "      detected by a shell script: no python3 was found" in shown(site, facts)


def test_a_build_that_is_named_and_not_asked_is_told_from_none(tmp_path: Path) -> None:
    named = "images: {llama: registry/llama:1}\n"
    (tmp_path / "site.yaml").write_text(named + MANIFEST.replace("[{model: m, gpus: [0]}]", "[]"))
    lines = shown(load_site(str(tmp_path / "site.yaml")), host("rtx3090"))
    assert "      not      vllm-cuda, llama-cpp-python: no image named" in lines
    assert "      not      llama-server-cuda: not checked: no placement here uses it" in lines


def test_a_driver_that_is_broken_is_no_agreement(site: Site) -> None:
    lines = shown(site, host("nvidia_driver_not_loaded"))
    assert not any("agree" in line for line in lines)
    assert "      tried    pynvml: Driver Not Loaded" in lines


def test_a_process_cannot_write_to_our_terminal(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    user = GPUProcess(pid=7, name="\x1b]0;[red]owned\x07\r\x9b2J", user="eve", memory_mb=1)
    facts = host("rtx3090")
    card = facts.gpu.gpus[0].model_copy(update={"processes": (user,)})
    facts = facts.model_copy(update={"gpu": facts.gpu.model_copy(update={"gpus": (card,)})})
    lines = gpu_table(site, {"h": observed(facts)}, verbose=False)
    Screen(PLAIN).lines(lines)
    said = capsys.readouterr().out
    assert "\\x1b]0;[red]owned\\x07\\x0d\\x9b2J (eve, 0.0)" in said
    assert said.replace("\n", "").isprintable()


def test_a_host_that_is_not_reached_does_not_widen_the_table(site: Site) -> None:
    error = UnreachableError("gone", "port 22 timed out after 10 s, and it is a long story")
    lines = gpu_table(site, {"h": observed(host("rtx3090")), "gone": error}, verbose=False)
    text = [Text.from_markup(line).plain for line in lines]
    (line,) = [line for line in text if line.startswith("gone")]
    assert line.split() == f"gone UNREACHABLE {error.reason}".split()
    assert max(map(len, text[:2])) < 90
    assert text[-1].startswith("1 GPU on 1 host; 1 unknown.")


@pytest.mark.parametrize(
    ("cgroup", "instance"),
    [
        ("/system.slice/xgen-demo-m.service", "m"),
        ("/system.slice/docker-0123abcd.scope", "m"),
        ("/docker/0123abcd", "m"),
        ("/system.slice/xgen-other-m.service", None),
        (None, None),
    ],
)
def test_whose_a_process_is(site: Site, cgroup: str | None, instance: str | None) -> None:
    box = ContainerFacts(
        name="xgen-demo-m", id="0123abcd", image_id="i", state="running",
        labels={"xgen.instance": "m"},
    )  # fmt: skip
    facts = host("rtx3090", docker=DockerFacts(state="ok", containers=(box,)))
    found = [who for part, who in owners(site, "h", facts).items() if part in (cgroup or "")]
    assert found == ([instance] if instance else [])
