from pathlib import Path

import pytest

from tests.site_file import load_site


@pytest.mark.parametrize(
    ("manifest", "warning"),
    [
        (
            "ports: 40000-40010\nmodels: {q: {source: /q}}",
            "1:1: ports 40000-40010 overlaps 32768-60999",
        ),
        (
            "models: {q: {source: /q}}\ngateway: {host: h, port: 33000}",
            "2:20: the gateway's port 33000 overlaps 32768-60999",
        ),
        (
            "models: {q: {source: /q, n_gpu_layers: 33}}",
            "3:24: n_gpu_layers 33 of q is ignored on h: `gpus: []` is the CPU",
        ),
        (
            "models: {q: {source: /q, n_gpu_layers: 50%}}",
            "3:24: n_gpu_layers 50% of q is ignored on h: `gpus: []` is the CPU",
        ),
        ("models: {q: {source: /q, n_gpu_layers: all}}", None),
        ("models: {q: {source: /q}}\ngateway: {host: h}", None),
    ],
)
def test_what_is_said_and_does_not_stop(manifest: str, warning: str | None, tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(f"{manifest}\nproject: a\nhosts: {{h: [{{model: q, gpus: []}}]}}\n")
    warnings = load_site(str(path)).warnings
    assert len(warnings) == (warning is not None)
    assert all(one.startswith(f"{path}:{warning}") for one in warnings)


_HEAD = "project: a\nimages: {llama: i}\n"


@pytest.mark.parametrize(
    ("manifest", "warnings"),
    [
        (
            "models: {q: {source: /q, fallback: [r]}, r: {source: /r}}\n"
            "hosts: {h: [{model: q}, {model: r}]}",
            ["3:36: `fallback` has no effect without a `gateway:`"],
        ),
        (
            "models: {q: {source: /q.gguf, env: {CUDA_VISIBLE_DEVICES: '1'}}}\n"
            "hosts: {h: [{model: q, gpus: [0]}]}",
            ["3:37: `CUDA_VISIBLE_DEVICES` goes over what the tool sets for `gpus`"],
        ),
        (
            "models: {q: {source: /q.gguf, env: {LLAMA_ARG_FLASH_ATTN: 'on'}}}\n"
            "hosts: {h: [{model: q, gpus: []}]}",
            ["3:37: `LLAMA_ARG_FLASH_ATTN` is `--flash-attn`, but its setting is"],
        ),
        (
            "models: {q: {source: /q.gguf, loras: {law: /l}, llama: {extra_args: [--lora, /m]}}}\n"
            "hosts: {h: [{model: q}]}",
            [
                "3:31: `law` will be applied to `q` from the start, not served by name",
                "3:57: extra_args has `--lora`, but its setting is `loras`",
            ],
        ),
        (
            "models: {q: {source: /q}, r: {source: /r}}\nhosts: {h: [{model: q}]}",
            ["3:27: model `r` is placed on no host"],
        ),
        (
            "models: {q: {source: /q.gguf, vllm: {dtype: auto}}}\nhosts: {h: [{model: q}]}",
            ["3:31: `vllm` has no effect: another engine serves here"],
        ),
        (
            "models: {q: {source: /q, revision: v1}}\n"
            "hosts: {h: [{model: q, binary: /b, spare_gpus: [1]}]}",
            [
                "3:26: `revision` has no effect: it is for models of Hugging Face",
                "4:24: `binary` has no effect: it is for the runtimes systemd and process",
                "4:36: `spare_gpus` has no effect: it stands in for GPUs that `gpus` lists",
            ],
        ),
        (
            "models: {q: {source: /q, type: embedding, slo: {ttft_p95: 1s}}}\n"
            "hosts: {h: [{model: q, gpus: []}]}",
            ["3:43: `slo` has no effect: it is for models that generate tokens"],
        ),
        (
            "runtime: systemd\nbinaries: {haproxy: /h}\nmodels: {q: {source: /q}}\n"
            "hosts: {h: [{model: q, port: 80, container: {args: [--init]}}]}",
            [
                "2:10: `images.llama` is used by no instance here",
                "4:12: `binaries.haproxy` is used by no gateway here",
                "6:24: port 80 is below 1024",
                "6:34: `container` has no effect: it is for the runtime docker",
            ],
        ),
        (
            "models: {q: {source: {gguf: /q, hf: o/q}}}\nhosts: {h: [{model: q, gpus: [0, 1, 2], "
            "llama: {main_gpu: 1, tensor_split: [1, 2]}, vllm: {tensor_parallel_size: 2}}]}",
            [
                "4:49: main_gpu is 1, but it is used only with split_mode none or row",
                "4:62: tensor_split has 2 parts, but q on h has 3 in `gpus`; those without a part",
                "4:92: tensor_parallel_size × pipeline_parallel_size is 2 × 1 = 2",
            ],
        ),
        (
            "defaults: {vllm: {dtype: auto}, llama: {threads: 4}}\n"
            "models: {q: {source: /q.gguf}, r: {source: {hf: o/r}}}\n"
            "hosts: {h: [{model: q, gpus: []}, {model: r}]}",
            [],
        ),
    ],
)
def test_what_has_no_effect_is_said(manifest: str, warnings: list[str], tmp_path: Path) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(f"{_HEAD}{manifest}\n")
    told = sorted(load_site(str(path)).warnings)
    assert len(told) == len(warnings), told
    for said, expected in zip(told, warnings, strict=True):
        assert said.startswith(f"{path}:{expected}")


@pytest.mark.parametrize(
    ("container", "said"),
    [
        ('{args: [-v, "/:/host"]}', "`-v`, but its setting is `container.mounts`, and it gives"),
        ('{args: ["-v/data:/data"]}', "`-v`, but its setting is `container.mounts`"),
        ("{args: [--env-file=/e]}", "`--env-file`, but its setting is `env`"),
        ("{args: [-e, HF_TOKEN=hf_secret]}", "`-e`, but its setting is `env`"),
        ("{args: [--cap-add, SYS_PTRACE]}", "`--cap-add`: it takes away a protection"),
        ("{args: [--security-opt, seccomp=unconfined]}", "`--security-opt=seccomp=unconfined`: it"),
        ("{args: [--pid=host]}", "`--pid`: it takes away a protection"),
        ("{args: [--read-only=false]}", "`--read-only=false`: it takes away a protection"),
        ('{mounts: ["/run/docker.sock:/run/docker.sock"]}', "it gives the engine the whole host"),
        ('{mounts: ["/:/host:ro"]}', "`/:/host:ro`: it gives the engine the whole host"),
        ("{args: [--rm, --init, --restart=no, --network, edge, --device=/dev/fuse]}", None),
        ('{args: [--detach=false, -h, d, -m8g, --ulimit, "-1", --label, a=b]}', None),
        ("{args: [--security-opt=label=disable, --network-alias=host, --pids-limit, all]}", None),
        ("{args: [--memroy=8g]}", "`--memroy`, and `docker run` of Docker 28 has no such opti"),
        ("{args: [--user-data=1]}", "`--user-data`, and `docker run` of Docker 28 has no such"),
        ('{mounts: ["/data:/data"]}', None),
    ],
)
def test_what_a_container_is_given_beside_the_tools_options(
    container: str, said: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(
        f"{_HEAD}models: {{q: {{source: /q}}}}\n"
        f"hosts: {{h: [{{model: q, gpus: [], container: {container}}}]}}\n"
    )
    warnings = load_site(str(path)).warnings
    assert len(warnings) == (said is not None), warnings
    assert all(said in one and "hf_secret" not in one for one in warnings if said)


def test_of_a_manifest_that_is_extended_nothing_is_said(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text("models: {q: {source: /q}, r: {source: /r}}\n")
    path = tmp_path / "site.yaml"
    path.write_text("extends: base.yaml\nproject: a\nhosts: {h: [{model: q}]}\n")
    assert load_site(str(path)).warnings == ()
