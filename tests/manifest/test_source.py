"""A model's source as people write it."""

import pytest

from xgen_deploy.state.source import Source, parse_source

SITE = "https://huggingface.co"
REPO = "unsloth/Qwen3-8B-GGUF"
FILE = "Qwen3-8B-Q4_K_M.gguf"
# Text -> repository, file, quantisation, revision.
ON_THE_HUB: dict[str, tuple[str, str | None, str | None, str | None]] = {
    REPO: (REPO, None, None, None),
    f"{REPO}:{FILE}": (REPO, FILE, None, None),
    f"{REPO}:Q8_0/part-00001-of-00002.gguf": (REPO, "Q8_0/part-00001-of-00002.gguf", None, None),
    f"{REPO}:Q4_K_M": (REPO, None, "Q4_K_M", None),
    f"{REPO}:UD-q4_k_xl": (REPO, None, "UD-q4_k_xl", None),
    f"{REPO}:BF16": (REPO, None, "BF16", None),
    f"{REPO}@v1.0": (REPO, None, None, "v1.0"),
    f"{REPO}@refs/pr/3:IQ4_XS": (REPO, None, "IQ4_XS", "refs/pr/3"),
    f"hf.co/{REPO}:Q4_K_M": (REPO, None, "Q4_K_M", None),
    f"huggingface.co/{REPO}": (REPO, None, None, None),
    f"hf://{REPO}/{FILE}": (REPO, FILE, None, None),
    f"huggingface://{REPO}": (REPO, None, None, None),
    f"{SITE}/{REPO}": (REPO, None, None, None),
    f"{SITE}/{REPO}/": (REPO, None, None, None),
    f"{SITE}/{REPO}/tree/main": (REPO, None, None, "main"),
    f"{SITE}/{REPO}/tree/main/BF16": (REPO, None, "BF16", "main"),
    f"{SITE}/{REPO}/blob/main/{FILE}": (REPO, FILE, None, "main"),
    f"{SITE}/{REPO}/resolve/abc12/{FILE}?download=true": (REPO, FILE, None, "abc12"),
    f"{SITE}/{REPO}/blob/refs%2Fpr%2F3/a%20b.gguf": (REPO, "a b.gguf", None, "refs/pr/3"),
    f"{SITE}/{REPO}?show_file_info={FILE}&x=1": (REPO, FILE, None, None),
    f"https://hf.co/{REPO}#usage": (REPO, None, None, None),
}
REFUSED = {
    "http://example.net/q.gguf": "plain http",
    "https://example.net/models/qwen.html": "the address of a web page",
    "https://example.net/Qwen.HTM?v=1#files": "the address of a web page",
    "s3://models/qwen/": "a bucket's file is its https:// address",
    "gs://models/q.gguf": "a bucket's file is its https:// address",
    "models/qwen.gguf": "a path begins with `/`",
    "./qwen.gguf": "a path begins with `/`",
    "models/qwen/x.gguf": "a file on Hugging Face is `models/qwen:x.gguf`",
    "llama3.2:3b": "Ollama's models have no such name on a host",
    "org/name:": "a source is an absolute path",
    "org/name:/etc/passwd": "a source is an absolute path",
    "org/name:a/../../b": "a source is an absolute path",
    "org/name@../x": "a source is an absolute path",
    f"{SITE}/datasets/org/name": "this address names no model",
    f"{SITE}/org": "this address names no model",
    f"{SITE}/org/name/blob/main/../../x": "a source is an absolute path",
}


@pytest.mark.parametrize("text", ON_THE_HUB)
def test_a_model_on_hugging_face(text: str) -> None:
    found = parse_source(text)
    parts = (found.repository, found.file, found.quantization, found.revision)
    assert (found.kind, parts) == ("hub", ON_THE_HUB[text])


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (f"hf.co/{REPO}:Q4_K_M", f"{REPO}:Q4_K_M"),
        (f"hf://{REPO}/{FILE}", f"{REPO}:{FILE}"),
        ("file:///srv/q.gguf", "/srv/q.gguf"),
        (f"{SITE}/{REPO}/blob/main/{FILE}", f"{SITE}/{REPO}/blob/main/{FILE}"),
    ],
)
def test_what_a_manifest_keeps(text: str, kept: str) -> None:
    assert parse_source(text).text == kept
    assert parse_source(kept).text == kept


def test_what_is_not_on_hugging_face() -> None:
    assert parse_source("~/q.gguf") == Source("path", "~/q.gguf", path="~/q.gguf")
    url = "https://models.example/a/m.gguf?download=true"
    assert parse_source(url) == Source("url", url, url=url)


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_source(text: str) -> None:
    with pytest.raises(ValueError, match=REFUSED[text]):
        parse_source(text)


@pytest.mark.parametrize(
    ("text", "is_gguf"),
    [
        ("/srv/q.GGUF", True),
        ("/srv/folder", False),
        (REPO, False),
        (f"{REPO}:Q4_K_M", True),
        (f"{REPO}:{FILE}", True),
        ("https://models.example/a/m.gguf?download=true", True),
        (f"{SITE}/{REPO}/blob/main/{FILE}", True),
    ],
)
def test_whether_it_is_a_gguf(text: str, is_gguf: bool) -> None:
    assert parse_source(text).is_gguf is is_gguf
