"""`serve:` of a manifest: each problem has its place, and no hash is ever shown."""

from pathlib import Path

import pytest

from tests.serve.credentials import HASHED, TOKEN_HASH
from tests.site_file import load_site
from xgen_deploy.manifest.diagnostics import ManifestError
from xgen_deploy.manifest.users_file import read_users
from xgen_deploy.plan.saved import SavedPlan

MANIFEST = """\
project: p
inventory: {{all: {{hosts: {{h: {{}}}}, children: {{lab: {{hosts: {{h: {{}}}}}}}}}}}}
models: {{m: {{source: /m/m.gguf}}}}
hosts: {{h: [{{model: m, gpus: []}}]}}
serve:
{serve}
"""
SECRET = "correct horse"  # noqa: S105


def load(folder: Path, serve: str):
    path = folder / "site.yaml"
    indented = "\n".join(f"  {line}" for line in serve.splitlines())
    path.write_text(MANIFEST.format(serve=indented))
    return load_site(str(path))


def test_all_of_it(tmp_path: Path) -> None:
    site = load(
        tmp_path,
        "changes: off\nlisten: 0.0.0.0\nport: 9000\nhosts: [fleet.example.net]\n"
        "tls: {cert: c.pem, key: /k.pem}\n"
        f"users: {{kim: {{role: operator, password_hash: '{HASHED}', hosts: [h, lab]}},"
        f" ci: {{role: viewer, token_hash: '{TOKEN_HASH}', models: [m]}}}}",
    )
    assert site.serve is not None
    assert (site.serve.changes, site.serve.port) == ("off", 9000)
    assert site.serve.tls is not None
    assert (site.serve.tls.cert, site.serve.tls.key) == (str(tmp_path / "c.pem"), "/k.pem")
    assert site.serve.users["kim"].hosts == ("h", "lab")


@pytest.mark.parametrize(
    ("serve", "line", "sentence"),
    [
        ("changes: on", 6, "expected off, propose, apply"),
        ("port: 0", 6, "port: found the number 0"),
        ("listen: localhost", 6, "an address to listen on is an IP address"),
        ("hosts: ['https://fleet']", 6, "a name as browsers send it"),
        ("tls: {cert: c.pem}", 6, "tls: `key` is missing"),
        ("user: {}", 6, "unknown key `user`. Did you mean `users`?"),
        ("users:\n  kim: {role: boss, token_hash: x}", 7, "expected viewer, operator, admin"),
        ("users:\n  kim: {role: viewer}", 7, "a user has a `password_hash`, a `token_hash`"),
        ("users:\n  'kim lee': {role: viewer}", 7, "kim lee"),
        (f"users:\n  kim:\n    role: viewer\n    password_hash: {SECRET}", 9,
         "this is no hash of a password; `xgen-deploy serve --hash-password` makes one"),
        ("users:\n  kim:\n    role: viewer\n    password_hash: 12345", 9, "no hash of a password"),
        (f"users:\n  ci:\n    role: viewer\n    token_hash: {SECRET}", 9, "no hash of a token"),
        (f"users:\n  ci:\n    role: viewer\n    token_hash: '{TOKEN_HASH}'\n    hosts: [g]", 10,
         "user `ci`: no host or group `g`"),
        (f"users:\n  ci:\n    role: viewer\n    token_hash: '{TOKEN_HASH}'\n    models: [n]", 10,
         "user `ci`: no model `n`."),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_at_its_place(
    tmp_path: Path, serve: str, line: int, sentence: str
) -> None:
    with pytest.raises(ManifestError) as wrong:
        load(tmp_path, serve)
    problems = wrong.value.problems
    assert any(sentence in p.message and p.line == line for p in problems), problems
    assert SECRET not in str(wrong.value)
    assert "12345" not in str(wrong.value)


def test_a_saved_plan_has_no_hash(tmp_path: Path) -> None:
    users = f"users: {{kim: {{role: viewer, password_hash: '{HASHED}'}}}}"
    site = load(tmp_path, users)
    saved = SavedPlan(site=site, fingerprint="f", parts={}, operations=())
    assert HASHED not in saved.model_dump_json()


@pytest.mark.parametrize(
    ("mode", "text", "sentence"),
    [
        (0o640, f"users: {{kim: {{role: viewer, password_hash: '{HASHED}'}}}}", "chmod 600"),
        (0o600, "kim: {role: viewer}", "unknown key `kim`"),
        (0o600, "users: {}", "there is no user in this file"),
        (0o600, "- users", "is a map with `users:`"),
        (0o600, f"users: {{kim: {{role: viewer, password_hash: {SECRET}}}}}", "no hash"),
    ],
)
def test_a_file_of_users(tmp_path: Path, mode: int, text: str, sentence: str) -> None:
    path = tmp_path / "users.yaml"
    path.write_text(text)
    path.chmod(mode)
    with pytest.raises(ManifestError, match=sentence) as wrong:
        read_users(str(path))
    assert SECRET not in str(wrong.value)


def test_a_file_of_users_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "users.yaml"
    path.write_text(f"users: {{kim: {{role: admin, password_hash: '{HASHED}'}}}}")
    path.chmod(0o600)
    assert read_users(str(path))["kim"].role == "admin"
