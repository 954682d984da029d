"""Where an artifact's files lie on a host: where its engine expects them. Pure."""

import hashlib
import re

from xgen_deploy.state.artifact import Artifact, ArtifactFile
from xgen_deploy.state.fetch import Places
from xgen_deploy.state.transfer import Link, Text, Unpack, WantedFile

_SHORT = 12
_NUMBER = re.compile(r"-\d{5}-of-\d{5}\.gguf$")
ENGINES = "xgen/engines"


def places(artifact: Artifact, *, model_dir: str, hf_home: str) -> Places:
    if artifact.kind == "hub":
        return _in_cache(artifact, hf_home.rstrip("/"))
    folder = local_folder(artifact) if artifact.kind == "local" else url_folder(artifact)
    root = model_dir.rstrip("/")
    placed = tuple(_wanted(f, f"{root}/{folder}/{f.path}") for f in artifact.files)
    alone = len(artifact.files) == 1 and "/" not in artifact.files[0].path
    path = placed[0].place if alone else f"{root}/{folder}"
    return Places(path, root, placed)


def engine_places(
    artifact: Artifact,
    program: str,
    *,
    model_dir: str,
    serves_gguf: bool = False,
    as_login: bool = False,
) -> Places:
    """Of an engine build in an archive: a folder for each content, so that a rollback finds the
    earlier one. `serves_gguf`: it is tried out with a model."""
    root, file = model_dir.rstrip("/"), artifact.files[0]
    folder = f"{root}/{ENGINES}/{content_of(artifact)[:_SHORT]}"
    archive = _wanted(file, f"{folder}/{file.path}")
    unpack = Unpack(
        archive=archive.place,
        sha256=content_of(artifact),
        folder=f"{folder}/build",
        program=program,
        serves_gguf=serves_gguf,
        as_login=as_login,
    )
    return Places(f"{unpack.folder}/{program}", root, (archive,), unpack=unpack)


def is_brought_build(path: str, model_dir: str) -> bool:
    """Whether such a build is brought there, whatever its content."""
    pattern = rf"{re.escape(model_dir.rstrip('/'))}/{ENGINES}/[0-9a-f]{{{_SHORT}}}/build/(.+)"
    found = re.fullmatch(pattern, path)
    return found is not None and ".." not in found[1].split("/")


def folder_of_build(path: str) -> str | None:
    """Of a program of such a build: the folder that its archive lies in too."""
    found = re.match(rf".*/{ENGINES}/[^/]+(?=/build/)", path)
    return found[0] if found is not None else None


def build_state(artifact: Artifact, program: str) -> str:
    """What the probe says of the state of this program once it was brought
    (probe/remote/build_state.py)."""
    return "sha256:" + hashlib.sha256(f"{program} {content_of(artifact)}".encode()).hexdigest()


def content_state(artifact: Artifact) -> str:
    """What the probe says of the state of these files once they were brought
    (probe/remote/content_state.py)."""
    files = _looked_at(artifact)
    known = all(f.sha256 or f.sha1 for f in files)
    names = ((f.path.rpartition("/")[2], f.sha256 or f.sha1 or f"length {f.size}") for f in files)
    lines = sorted(f"{name} {digest}" for name, digest in names)
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
    return f"sha256:{digest}" if known else f"length:{digest}"


def _looked_at(artifact: Artifact) -> tuple[ArtifactFile, ...]:
    """Of a GGUF its parts alone, whatever lies beside them."""
    ggufs = tuple(f for f in artifact.files if f.path.endswith(".gguf"))
    stem = _NUMBER.sub("", artifact.loaded)
    meant = tuple(f for f in ggufs if _NUMBER.sub("", f.path) == stem)
    return (meant if artifact.loaded else ggufs) or artifact.files


def url_folder(artifact: Artifact) -> str:
    """By the address, so that two files of one name do not meet."""
    url = artifact.files[0].url or artifact.origin
    return f"xgen/{hashlib.sha256(url.encode()).hexdigest()[:16]}"


def local_folder(artifact: Artifact) -> str:
    """By the content, so that a rollback finds the earlier one."""
    return f"{artifact.name}/{content_of(artifact)[:_SHORT]}"


def content_of(artifact: Artifact) -> str:
    """The SHA-256 of a single file, of a folder its digest."""
    single = artifact.files[0].sha256 if len(artifact.files) == 1 else None
    return single or artifact.digest


def _in_cache(artifact: Artifact, hf_home: str) -> Places:
    """As Hugging Face's libraries lay it out: blobs by digest, snapshots of relative links, and a
    branch's commit without a newline.
    """
    name = "models--" + (artifact.repository or "").replace("/", "--")
    folder = f"{hf_home}/hub/{name}"
    snapshot = f"{folder}/snapshots/{artifact.commit}"
    files, links = [], []
    for item in artifact.files:
        blob = item.sha256 if item.sha1 is None else item.sha1
        files.append(_wanted(item, f"{folder}/blobs/{blob}"))
        up = "../" * (2 + item.path.count("/"))
        links.append(Link(path=f"{snapshot}/{item.path}", target=f"{up}blobs/{blob}"))
    revision = artifact.revision or "main"
    texts: tuple[Text, ...] = ()
    if revision != artifact.commit:
        texts = (Text(path=f"{folder}/refs/{revision}", content=artifact.commit or ""),)
    path = f"{snapshot}/{artifact.loaded}" if artifact.loaded else snapshot
    return Places(path, hf_home, tuple(_once(files)), tuple(links), texts)


def _once(files: list[WantedFile]) -> list[WantedFile]:
    """Equal files of one repository are one blob."""
    return list({file.place: file for file in files}.values())


def _wanted(file: ArtifactFile, place: str) -> WantedFile:
    return WantedFile(
        place=place,
        size=file.size,
        sha256=file.sha256,
        sha1=file.sha1 if file.sha256 is None else None,
        chunks=file.chunks,
        url=file.url,
    )
