import json
import struct
from pathlib import Path

import pytest

from tests.probe.gguf_writer import gguf, write
from xgen_deploy.probe.remote.locate import Source, downloaded
from xgen_deploy.probe.remote.models import model
from xgen_deploy.probe.remote.open_to_all import closed_file, closed_folder
from xgen_deploy.resolve.model_request import model_request
from xgen_deploy.resolve.stated_files import StatedFile
from xgen_deploy.state.facts import ModelFacts

COMMIT = "0123abcd"
CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "num_attention_heads": 64,
    "num_key_value_heads": 8,
    "quantization_config": {"quant_method": "awq", "bits": 4},
    "rope_scaling": {"type": "yarn"},
}


def look(
    tmp_path: Path, source: str, revision: str = "main", *, any_file: bool = False
) -> ModelFacts:
    """`revision` "" is none stated."""
    stated = StatedFile(
        "source", source, revision or "main", any_file=any_file, any_revision=not revision
    )
    asked = model_request(stated, str(tmp_path / "models"), str(tmp_path / "hf"))
    return ModelFacts.model_validate(model(Source(**asked.model_dump())))


def safetensors(data: int = 16, claimed: int = 16) -> bytes:
    tensor = {"dtype": "F32", "shape": [claimed // 4], "data_offsets": [0, claimed]}
    header = json.dumps({"__metadata__": {"format": "pt"}, "w": tensor}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(data)


def hf_folder(path: Path, config: object = CONFIG, weights: bytes | None = None) -> Path:
    write(path / "config.json", json.dumps(config).encode())
    write(path / "model.safetensors", safetensors() if weights is None else weights)
    return path


def in_cache(base: Path) -> Path:
    write(base / "models--org--name/refs/main", COMMIT.encode())
    return base / f"models--org--name/snapshots/{COMMIT}"


@pytest.mark.parametrize("layout", ["hf/hub", "hf"])
@pytest.mark.parametrize("revision", ["main", COMMIT])
def test_a_repository_is_found_in_either_cache_layout(
    tmp_path: Path, layout: str, revision: str
) -> None:
    folder = hf_folder(in_cache(tmp_path / layout))
    facts = look(tmp_path, "org/name", revision)
    assert (facts.error, facts.format, facts.path) == (None, "hf", str(folder))
    assert facts.config == {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "num_attention_heads": 64,
        "num_key_value_heads": 8,
        "rope_scaling": {"type": "yarn"},
        "quantization_config": {"quant_method": "awq", "bits": 4},
    }


def test_a_multimodal_config_keeps_its_text_part(tmp_path: Path) -> None:
    config = {"model_type": "gemma3", "text_config": {"num_attention_heads": 8, "vision": 1}}
    hf_folder(tmp_path / "m", config)
    assert look(tmp_path, str(tmp_path / "m")).config == {
        "model_type": "gemma3",
        "text_config": {"num_attention_heads": 8},
    }


def test_one_file_of_a_repository(tmp_path: Path) -> None:
    path = write(in_cache(tmp_path / "hf/hub") / "q4/m.gguf", gguf())
    facts = look(tmp_path, "org/name:q4/m.gguf")
    assert (facts.error, facts.format, facts.path) == (None, "gguf", str(path))


def test_a_downloaded_file_is_found_by_its_address(tmp_path: Path) -> None:
    url = "https://models.example/a/m.gguf?download=true"
    missing = look(tmp_path, url)
    assert (missing.missing, missing.error) == (True, "is not downloaded yet")
    path = write(Path(downloaded(url, str(tmp_path / "models"))), gguf())
    assert path.name == "m.gguf"
    assert look(tmp_path, url).path == str(path) == missing.path


def test_the_home_is_that_of_whoever_logged_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_USER", "nobody")
    path = look(tmp_path, "~/m.gguf").path
    assert path is not None
    assert path.startswith("/nonexistent/")


def test_gguf_is_known_by_its_content(tmp_path: Path) -> None:
    assert look(tmp_path, str(write(tmp_path / "model.bin", gguf()))).format == "gguf"


WRONG: dict[str, tuple[dict[str, bytes], str, str]] = {
    "absent": ({}, "x.gguf", "is not there"),
    "empty": ({"x.gguf": b""}, "x.gguf", "is empty"),
    "a pointer": (
        {"x.gguf": b"version https://git-lfs.github.com/spec/v1\n"},
        "x.gguf",
        "is a Git LFS pointer",
    ),
    "another content": ({"x.gguf": b"PK"}, "x.gguf", "not a valid GGUF"),
    "neither": ({"x.bin": b"PK"}, "x.bin", "is neither a GGUF"),
    "an empty folder": ({"d/readme": b""}, "d", "without config.json"),
    "several": ({"d/a.gguf": gguf(), "d/b.gguf": gguf()}, "d", "files: a.gguf, b.gguf"),
    "no weights": ({"d/config.json": b"{}"}, "d", "but no weights"),
    "a broken config": ({"d/config.json": b"{"}, "d", "is not valid JSON"),
    "a missing shard": (
        {
            "d/config.json": b"{}",
            "d/model.safetensors.index.json": b'{"weight_map": {"a": "model-1.safetensors"}}',
        },
        "d",
        "1 of its weight files are missing: model-1.safetensors",
    ),
    "weights for another program": (
        {"d/config.json": b"{}", "d/onnx/model.onnx": b""},
        "d",
        "its weights are for ONNX, which no engine here loads",
    ),
    "a pipeline for images": ({"d/model_index.json": b"{}"}, "d", "is a pipeline for images"),
    "Meta's own format": (
        {"d/params.json": b"{}", "d/consolidated.00.pth": b""},
        "d",
        "is in Meta's own format",
    ),
    "a missing part of Mistral's": (
        {
            "d/params.json": b"{}",
            "d/consolidated-00001-of-00002.safetensors": b"",
            "d/consolidated.safetensors.index.json": (
                b'{"weight_map": {"a": "consolidated-00002-of-00002.safetensors"}}'
            ),
        },
        "d",
        "1 of its weight files are missing: consolidated-00002-of-00002.safetensors",
    ),
    "weights cut short": (
        {"d/config.json": b"{}", "d/w.safetensors": safetensors(data=15)},
        "d",
        "w.safetensors: cut short",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_told(tmp_path: Path, case: str) -> None:
    files, source, reason = WRONG[case]
    for name, data in files.items():
        write(tmp_path / name, data)
    facts = look(tmp_path, str(tmp_path / source))
    assert facts.error is not None
    assert reason in facts.error
    assert facts.missing == (case == "absent")


@pytest.mark.parametrize("source", ["org/absent", "org/absent:m.gguf"])
def test_an_absent_repository_is_missing(tmp_path: Path, source: str) -> None:
    assert look(tmp_path, source).missing


@pytest.mark.parametrize("source", ["name", "../x", "org/../../etc"])
def test_what_can_be_no_source_is_told(tmp_path: Path, source: str) -> None:
    facts = look(tmp_path, source)
    assert facts.error is not None
    assert not facts.missing


def test_what_is_closed_to_an_engines_own_user_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "private"
    folder.mkdir(mode=0o755)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"")
    assert closed_file(str(folder)) is None
    (folder / "model.safetensors").chmod(0o600)
    assert closed_file(str(folder)) == str(folder / "model.safetensors")
    folder.chmod(0o700)
    assert closed_file(str(folder)) == str(folder)
    assert closed_folder("/etc/passwd") is None
    shut = closed_folder(str(folder / "config.json"))
    assert shut is not None
    assert str(folder).startswith(shut)


def test_an_adapter_of_peft(tmp_path: Path) -> None:
    folder = tmp_path / "law"
    config = {"peft_type": "LORA", "r": 48, "target_modules": ["q_proj"]}
    write(folder / "adapter_config.json", json.dumps(config).encode())
    assert look(tmp_path, str(folder)).error == "has an adapter_config.json but no weights"
    write(folder / "adapter_model.safetensors", safetensors())
    facts = look(tmp_path, str(folder))
    assert (facts.error, facts.format) == (None, "hf")
    assert facts.config == {"peft_type": "LORA", "r": 48}


def test_a_file_that_is_no_model(tmp_path: Path) -> None:
    path = write(tmp_path / "chat.jinja", b"{{ messages }}")
    facts = look(tmp_path, str(path), any_file=True)
    assert (facts.error, facts.format, facts.size) == (None, None, 14)
    assert look(tmp_path, str(tmp_path), any_file=True).error == "is not a file"
    gone = look(tmp_path, str(tmp_path / "gone.jinja"), any_file=True)
    assert (gone.error, gone.missing) == ("is not there", True)


def test_an_adapter_that_has_its_model_s_config_beside_it(tmp_path: Path) -> None:
    folder = hf_folder(tmp_path / "law")
    write(folder / "adapter_config.json", b'{"peft_type": "LORA", "r": 8}')
    assert look(tmp_path, str(folder)).config == look(tmp_path, str(hf_folder(folder))).config
    (folder / "model.safetensors").rename(folder / "adapter_model.safetensors")
    assert look(tmp_path, str(folder)).config == {"peft_type": "LORA", "r": 8}


def test_a_folder_in_mistral_s_own_layout(tmp_path: Path) -> None:
    folder = tmp_path / "m"
    params = {"dim": 64, "n_heads": 8, "n_layers": 2, "max_position_embeddings": 4096, "q": 1}
    write(folder / "params.json", json.dumps(params).encode())
    write(folder / "consolidated.safetensors", safetensors())
    facts = look(tmp_path, str(folder))
    assert (facts.error, facts.format, facts.config_format) == (None, "hf", "mistral")
    assert facts.config == {
        "hidden_size": 64,
        "num_attention_heads": 8,
        "num_hidden_layers": 2,
        "max_position_embeddings": 4096,
    }


QUANTISED: dict[str, tuple[dict[str, object], str | None, object]] = {
    "not": ({}, None, None),
    "in the config": ({"quantization_config": {"quant_method": "fp8"}}, None, "fp8"),
    "compressed tensors of old": ({"compression_config": {}}, None, "compressed-tensors"),
    "by MLX": ({"quantization": {"bits": 4, "group_size": 64}}, None, "mlx"),
    "by ModelOpt": ({}, "hf_quant_config.json", "modelopt"),
    "by a tool that does not say": ({}, "quantize_config.json", "unknown"),
}


@pytest.mark.parametrize("case", QUANTISED)
def test_how_weights_are_quantised(tmp_path: Path, case: str) -> None:
    config, beside, method = QUANTISED[case]
    folder = hf_folder(tmp_path / "m", config)
    if beside is not None:
        write(folder / beside, b"{}")
    found = (look(tmp_path, str(folder)).config or {}).get("quantization_config")
    wanted = {"quant_method": None if method == "unknown" else method}
    assert found == (None if method is None else wanted)


@pytest.mark.parametrize(
    ("key", "kind"), [("general.type", "mmproj"), ("adapter.type", "adapter"), ("a.b", None)]
)
def test_what_a_gguf_is(tmp_path: Path, key: str, kind: str | None) -> None:
    path = write(tmp_path / "x.gguf", gguf({"general.architecture": "llama", key: "mmproj"}))
    facts = look(tmp_path, str(path)).gguf
    assert facts is not None
    assert facts.type == kind


def linked(path: Path, target: Path | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)
    return path


def test_links_within_the_model_folder_need_nothing(tmp_path: Path) -> None:
    write(tmp_path / "models/files/x.gguf", gguf())
    for target in ("files/x.gguf", tmp_path / "models/files/x.gguf"):
        path = linked(tmp_path / "models" / f"{len(str(target))}.gguf", target)
        assert look(tmp_path, str(path)).links is None
    in_hub = hf_folder(tmp_path / "hf/hub/models--o--n/blobs")
    refs = write(tmp_path / "hf/hub/models--o--n/refs/main", COMMIT.encode()).parents[1]
    for name in ("config.json", "model.safetensors"):
        linked(refs / "snapshots" / COMMIT / name, f"../../blobs/{name}")
    facts = look(tmp_path, "o/n")
    assert (facts.error, facts.links) == (None, None)
    assert in_hub.exists()


def links_of(tmp_path: Path, path: Path) -> tuple[str, ...]:
    """What a container is given for them, from here."""
    facts = look(tmp_path, str(path))
    assert facts.error is None
    assert facts.links is not None
    assert facts.links.lost is None
    return tuple(str(Path(f).relative_to(tmp_path)) for f in facts.links.folders)


def test_a_link_out_of_the_model_folder(tmp_path: Path) -> None:
    write(tmp_path / "data/llm/x.gguf", gguf())
    path = linked(tmp_path / "models/current.gguf", tmp_path / "data/llm/x.gguf")
    assert links_of(tmp_path, path) == ("data/llm",)
    assert look(tmp_path, str(path)).real_path == str(tmp_path / "data/llm/x.gguf")


def test_a_relative_link_out_of_a_folder_that_is_one_itself(tmp_path: Path) -> None:
    """Its end is another one in a container, where the folder is none."""
    write(tmp_path / "disk/other/x.gguf", gguf())
    linked(tmp_path / "disk/models/x.gguf", "../other/x.gguf")
    linked(tmp_path / "place/models", tmp_path / "disk/models")
    facts = look(tmp_path, str(tmp_path / "place/models/x.gguf"))
    assert facts.links is not None
    link, end = tmp_path / "place/models/x.gguf", tmp_path / "disk/other/x.gguf"
    assert facts.links.lost == f"{link} is a link to {end}"


def test_links_of_folders_and_one_after_the_other(tmp_path: Path) -> None:
    write(tmp_path / "data/v2/x.gguf", gguf())
    linked(tmp_path / "releases/latest", tmp_path / "data/v2")
    linked(tmp_path / "elsewhere/x.gguf", tmp_path / "releases/latest/x.gguf")
    linked(tmp_path / "models/current", tmp_path / "elsewhere")
    path = tmp_path / "models/current/x.gguf"
    assert links_of(tmp_path, path) == ("elsewhere", "releases/latest")


def test_every_part_is_followed(tmp_path: Path) -> None:
    names = [f"m-0000{n}-of-00002.gguf" for n in (1, 2)]
    for name, disk in zip(names, ("disk1", "disk2"), strict=True):
        header = gguf({"split.count": 2})
        write(tmp_path / disk / "blobs" / name[:7], header)
        linked(tmp_path / "srv" / name, tmp_path / disk / "blobs" / name[:7])
    assert links_of(tmp_path, tmp_path / "srv" / names[0]) == ("disk1/blobs", "disk2/blobs")


def test_blobs_of_a_snapshot_outside_of_the_cache(tmp_path: Path) -> None:
    home = tmp_path / "home/.cache/hub/models--o--n"
    hf_folder(home / "blobs")
    for name in ("config.json", "model.safetensors"):
        linked(home / "snapshots" / COMMIT / name, f"../../blobs/{name}")
    found = links_of(tmp_path, home / "snapshots" / COMMIT)
    assert found == ("home/.cache/hub/models--o--n/blobs",)


def test_a_folder_of_links_that_only_its_owner_may_pass(tmp_path: Path) -> None:
    write(tmp_path / "data/x.gguf", gguf())
    path = linked(tmp_path / "models/x.gguf", tmp_path / "data/x.gguf")
    (tmp_path / "data").chmod(0o700)
    links = look(tmp_path, str(path)).links
    assert links is not None
    assert links.closed == str(tmp_path / "data")


def test_a_folder_that_a_container_is_given_and_may_not_pass(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)  # above what it is given
    path = write(tmp_path / "models/team/x.gguf", gguf())
    assert look(tmp_path, str(path)).closed_inside is None
    (tmp_path / "models/team").chmod(0o750)
    assert look(tmp_path, str(path)).closed_inside == str(tmp_path / "models/team")
    outside = write(tmp_path / "other/x.gguf", gguf())
    outside.parent.chmod(0o750)
    assert look(tmp_path, str(outside)).closed_inside == str(outside.parent)


def test_no_folder_of_the_system_is_given(tmp_path: Path) -> None:
    file = linked(tmp_path / "models/passwd", "/etc/passwd")
    links = look(tmp_path, str(file), any_file=True).links
    assert links is not None
    assert links.folders == ("/etc/passwd",)
    hf_folder(tmp_path / "models/m")
    linked(tmp_path / "models/m/extra", "/etc")
    folder = look(tmp_path, str(tmp_path / "models/m")).links
    assert folder is not None
    assert (folder.folders, folder.lost) == (
        (),
        f"{tmp_path}/models/m/extra is a link to /etc",
    )


def test_a_dangling_link_says_where_it_points(tmp_path: Path) -> None:
    away = tmp_path / "data/x.gguf"
    path = linked(tmp_path / "m/current.gguf", "next.gguf")
    linked(tmp_path / "m/next.gguf", away)
    facts = look(tmp_path, str(path))
    assert (facts.missing, facts.error) == (True, f"is a link to {away}, which is not there")
    linked(tmp_path / "m/disk", tmp_path / "data")
    beneath = look(tmp_path, str(tmp_path / "m/disk/x.gguf"))
    assert beneath.error == f"leads through a link to {away}, which is not there"
    loop = linked(tmp_path / "m/loop", "loop")
    assert look(tmp_path, str(loop)).error == "is a link that leads back to itself"


def test_a_dangling_link_among_parts_and_weights(tmp_path: Path) -> None:
    names = [f"m-0000{n}-of-00002.gguf" for n in (1, 2)]
    write(tmp_path / names[0], gguf())
    linked(tmp_path / names[1], tmp_path / "blob")
    error = look(tmp_path, str(tmp_path / names[0])).error
    assert error is not None
    assert f"{names[1]} (a link to {tmp_path}/blob)" in error
    folder = hf_folder(tmp_path / "hf-model")
    linked(folder / "model-2.safetensors", "../blob")
    error = look(tmp_path, str(folder)).error
    assert error == f"model-2.safetensors is a link to {tmp_path}/blob, which is not there"
