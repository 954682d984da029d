"""Where a model comes from, read from the text that a manifest has for it: a path on the host, a
repository on Hugging Face as people write one, or another address. Pure.
"""

import re
from dataclasses import dataclass
from typing import Literal

_SITES = ("https://huggingface.co/", "https://www.huggingface.co/", "https://hf.co/")
_SHORT = ("huggingface.co/", "hf.co/", "huggingface://", "hf://")
_PART = r"[A-Za-z0-9][\w.-]*"
_HUB = re.compile(
    rf"(?P<repository>{_PART}/{_PART})(?:@(?P<revision>[^\s:@]+))?(?::(?P<file>.+))?", re.ASCII
)
_QUANTIZATION = re.compile(
    r"(?:UD-)?(?:I?Q\d\w*|TQ\d_\d|BF16|FP?16|FP?32|MXFP4(?:_MOE)?)", re.ASCII | re.IGNORECASE
)
_OLLAMA = re.compile(r"(?:ollama://)?[a-z0-9][a-z0-9._-]*(?::[\w.-]+)?", re.ASCII)
_ESCAPED = re.compile(r"(?:%[0-9a-fA-F]{2})+")
_PAGE = re.compile(r"^[^?#]*\.x?html?(?:[?#]|$)", re.IGNORECASE)
_BUCKET = re.compile(r"(?:s3|gs|gcs|az|abfss?|r2|oss|cos)://", re.IGNORECASE)
_ALLOWED = (
    "a source is an absolute path on the host, `org/name` or `org/name:file.gguf` on Hugging Face, "
    "or an https:// address"
)


@dataclass(frozen=True)
class Source:
    """`text` is how the manifest keeps it. `path` is set for a path on the host, `url` for an
    address, `repository` for Hugging Face; its own addresses have both of the latter.

    `file` is a file or folder of the repository; `quantization` (`Q4_K_M`) stands for the file of
    that name. `revision` is None where the text has none.
    """

    kind: Literal["path", "url", "hub"]
    text: str
    path: str | None = None
    url: str | None = None
    repository: str | None = None
    file: str | None = None
    quantization: str | None = None
    revision: str | None = None

    @property
    def stem(self) -> str:
        """What another file of the same repository or folder is named after."""
        if self.repository is None:
            return self.path or self.text
        return f"{self.repository}@{self.revision}" if self.revision else self.repository

    @property
    def is_gguf(self) -> bool:
        """Whether the text alone tells that it is one."""
        name = self.file or self.path or (self.url or "").split("?")[0].split("#")[0]
        return self.quantization is not None or name.lower().endswith(".gguf")


def parse_source(text: str) -> Source:
    """Raises ValueError with what is allowed."""
    stated = text.removeprefix("file://") if text.startswith("file:///") else text
    if stated.startswith(("/", "~/")):
        return Source("path", stated, path=stated)
    for site in _SITES:
        if stated.startswith(site):
            return _of_site(stated, stated.removeprefix(site))
    for short in _SHORT:
        if stated.startswith(short):
            return _named(stated.removeprefix(short))
    if re.fullmatch(r"https://[^\s/]+/\S+", stated):
        if _PAGE.search(stated):
            raise ValueError("this is the address of a web page; state that of the file itself")
        return Source("url", stated, url=stated)
    source = _in_repository(stated)
    if source is None:
        raise ValueError(_ALLOWED + _hint(stated))
    return source


def read_source(text: str) -> Source:
    """Of a text that no manifest was checked for; one that can be no source's has no place."""
    try:
        return parse_source(text)
    except ValueError:
        return Source("path", text)


def repository_of(text: str) -> str | None:
    return read_source(text).repository


def _of_site(url: str, rest: str) -> Source:
    """An address as a browser shows it: …/org/name/blob/main/file.gguf."""
    place, _, query = rest.partition("#")[0].partition("?")
    parts = [_ESCAPED.sub(_unescaped, part) for part in place.split("/") if part]
    shown = re.search(r"(?:^|&)show_file_info=([^&]+)", query)
    file = _ESCAPED.sub(_unescaped, shown[1]) if shown else None
    revision = None
    if len(parts) > 3 and parts[2] in ("blob", "resolve", "tree", "raw"):
        revision, file = parts[3], "/".join(parts[4:]) or file
    elif len(parts) != 2:
        raise ValueError(
            "this address names no model; one on Hugging Face is https://huggingface.co/org/name, "
            "with /blob/main/file.gguf for a file of it"
        )
    named = f"{parts[0]}/{parts[1]}" + (f"@{revision}" if revision else "")
    source = _in_repository(f"{named}:{file}" if file else named)
    if source is None:
        raise ValueError(_ALLOWED)
    return Source(
        "hub", url, None, url, source.repository, source.file, source.quantization, revision
    )


def _named(rest: str) -> Source:
    """`org/name`, `org/name:Q4_K_M` or `org/name/file.gguf` after a prefix that says where."""
    match = re.fullmatch(rf"({_PART}/{_PART})/([^:]+)", rest, re.ASCII)
    source = _in_repository(f"{match[1]}:{match[2]}" if match else rest)
    if source is None:
        raise ValueError(_ALLOWED)
    return source


def _in_repository(text: str) -> Source | None:
    """None where the text names none."""
    match = _HUB.fullmatch(text)
    if match is None or match["repository"].lower().endswith(".gguf"):
        return None
    file, revision = match["file"], match["revision"]
    parts = [part for part in match.groups() if part]
    if any(part.startswith("/") or ".." in part.split("/") for part in parts):
        return None
    if file is not None and _QUANTIZATION.fullmatch(file):
        return Source(
            "hub", text, repository=match["repository"], quantization=file, revision=revision
        )
    return Source("hub", text, repository=match["repository"], file=file, revision=revision)


def _hint(text: str) -> str:
    if text.startswith("http://"):
        return "; plain http would let anyone on the way replace the model"
    if _BUCKET.match(text):
        return (
            "; a bucket's file is its https:// address (a presigned one too), a folder of it is "
            "mounted or copied to a path on the host"
        )
    relative = re.fullmatch(rf"({_PART}/{_PART})/(.+\.gguf)", text, re.ASCII)
    if relative is not None:
        return f"; a path begins with `/`, a file on Hugging Face is `{relative[1]}:{relative[2]}`"
    if text.endswith(".gguf"):
        return "; a path begins with `/`"
    if _OLLAMA.fullmatch(text):
        return (
            "; Ollama's models have no such name on a host: `ollama show --modelfile NAME` there "
            "has the file's path in its FROM line"
        )
    return ""


def _unescaped(match: re.Match[str]) -> str:
    return bytes.fromhex(match[0].replace("%", "")).decode("utf-8", "replace")
