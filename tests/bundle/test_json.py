"""What `bundle` prints with --json is as its schema says, errors included."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.bundle.made import Outside, allowed, new_key
from xgen_deploy.documents.registry import output_schema
from xgen_deploy.hub.local_digests import LocalDigests


@pytest.fixture
def site(outside: Outside, tmp_path: Path) -> Outside:
    (tmp_path / "x.deb").write_bytes(b"x" * 3000)
    outside.write(
        {
            "project": "p",
            "pull": "never",
            "packages": ["*.deb"],
            "inventory": {"all": {"hosts": {"a": {}}}},
            "models": {"m": {"source": "/srv/m.gguf", "backend": "llama-server-cpu"}},
            "images": {"llama": "site/engine:1"},
            "hosts": {"a": [{"model": "m"}]},
        }
    )
    return outside


def _value(ran: tuple[int, str], code: int = 0) -> dict[str, Any]:
    found, said = ran
    assert found == code, said
    value: dict[str, Any] = json.loads(said[said.index("{\n") : said.rindex("}") + 1])
    jsonschema.Draft202012Validator(output_schema("bundle")).validate(value)
    return value


def test_a_bundle_is_made_shown_and_verified(site: Outside, tmp_path: Path) -> None:
    key = new_key(tmp_path)
    signers = ("--allowed-signers", str(allowed(tmp_path, key)))
    made = _value(site.create("--json", "--sign", str(key), "--serial", "7"))
    assert (made["project"], made["serial"], made["signed"], made["resumed"]) == ("p", 7, True, 0)
    package = next(p for p in made["parts"] if p["kind"] == "package")
    digest = LocalDigests(tmp_path / "c").of(tmp_path / "x.deb").sha256
    assert (package["name"], package["sha256"]) == ("packages/x.deb", digest)
    assert (package["size"], package["left_out"]) == (3000, 0)
    assert "a: image site/engine:1, which `pull: never` leaves to the host" in made["lacking"]
    shown = _value(site.run("bundle", "show", str(site.output), "--json"))
    assert shown == {**made, "resumed": None, "encrypted": None}
    verify = ("bundle", "verify", str(site.output), "--json", *signers)
    verified = _value(site.run(*verify))
    assert (verified["signer"], verified["damages"]) == ("key@example.org", [])

    data = bytearray(site.output.read_bytes())
    data[-1] ^= 1
    site.output.write_bytes(data)
    broken = _value(site.run(*verify), 1)
    (damage,) = broken["damages"]
    assert damage["places"][0]["end"] == len(data)
    assert "is damaged in 1 place" in broken["errors"][0]["message"]


def test_errors_are_in_it(site: Outside) -> None:
    site.create()
    refused = _value(site.run("bundle", "verify", str(site.output), "--json"), 1)
    assert "is not signed" in refused["errors"][0]["message"]
    assert refused["project"] is None
