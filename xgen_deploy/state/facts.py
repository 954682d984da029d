"""The document that the probe sends back about a host, and the request that it answers.

Plain values: sizes in bytes unless the name ends in `_mb` (MiB), times in seconds since the
epoch. None means unknown.
"""

from typing import Annotated, Literal

from pydantic import Field

from xgen_deploy.frozen import Frozen, Moment
from xgen_deploy.state.gpu import GPUDetectionResult
from xgen_deploy.state.oci_image import Store

FORMAT = 1
EDITED_LINES = 2000
DOCKER_UNIT = "docker.service"
UnitName = Annotated[str, Field(pattern=r"^[A-Za-z0-9:_.@\\-]{1,200}\.service$")]


class ModelRequest(Frozen):
    """A model whose files the probe looks for. `key` names it in the answer, `source` is the text
    of the manifest, what follows `any_file` its parts (see state/source.py). `any_file`: it is
    something else that is loaded beside one, and only has to be there. `any_revision`: none is
    stated, so that another than `revision` will do where it is the only one there. `quantize`: what
    is looked for was made of it on the host, in this type; of `content`, where a lock file tells
    that.
    """

    key: str
    source: str
    revision: str = "main"
    model_dir: str
    hf_home: str
    any_file: bool = False
    path: str | None = None
    url: str | None = None
    repository: str | None = None
    file: str | None = None
    quantization: str | None = None
    stem: str = ""
    any_revision: bool = False
    quantize: str | None = None
    content: str | None = None


class PushedImage(Frozen):
    """An image that this machine has: what a daemon may know it by, what its settings come to (see
    state/oci_image.py) and its layers, to be looked for."""

    ids: tuple[str, ...]
    settings: str
    layers: tuple[str, ...]


class EngineRequest(Frozen):
    """An engine build to be asked what it can do: a binary's path or an image's reference.

    `entrypoint` is set where the image's own one is not the engine. `may_pull` asks the daemon
    whether a registry has an image that the host lacks (nothing is pulled). `as_login`: the
    engine will run as the login itself, not as a user of its own, and is asked so. `has_help`: its
    `--help` is read. `reading` is how much of it must have been read where a recorded answer is to
    do: see probe/remote/engine_help.py. `pushed` is the image that it is to be.
    `login`: its registry is only asked with a login, which the probe does not have.
    """

    backend: str
    binary: str | None = None
    image: str | None = None
    entrypoint: tuple[str, ...] | None = None
    may_pull: bool = False
    as_login: bool = False
    has_help: bool = False
    reading: int = 1
    pushed: PushedImage | None = None
    login: bool = False


class QuantizerRequest(Frozen):
    """`places` are where llama.cpp's quantizer may be, beside the usual ones. `as_login`: it will
    run as the login itself, and is asked so. `model_dir` is where what it makes comes to."""

    places: tuple[str, ...] = ()
    as_login: bool = False
    model_dir: str = ""


class ProbeRequest(Frozen):
    """What the control side wants to know of one host, beyond what is always told.

    `state_dir` is where the project's record lies on the host, `process_dir` the folder of the
    process runtime's supervisor (None elsewhere). `files` are further paths to be stated,
    `adopt_units` and `adopt_containers` what may be taken over, `ports`
    ranges (both ends included) of ports whose holders are to be told.
    `health` asks every recorded instance's endpoint whether it is ready; `units` are its unit's
    names, in the first slot and in the second (see layout.py). `gateway_stats` is the gateway's
    runtime socket, to be asked for its servers. `watchdog` is the name of the timer that looks
    after the engines, and of its service, to be asked how they are. `writes` are the folders
    that an apply writes to, `folders` those that models are brought to; `outside` (host:port)
    are tried where a model is missing. `quantizer` is looked for where one is not quantized yet.
    """

    project: str
    state_dir: str
    etc_dir: str
    process_dir: str | None = None
    models: tuple[ModelRequest, ...] = ()
    engines: tuple[EngineRequest, ...] = ()
    files: tuple[str, ...] = ()
    adopt_units: tuple[str, ...] = ()
    adopt_containers: tuple[str, ...] = ()
    ports: tuple[tuple[int, int], ...] = ()
    software_gpu: int = 0
    health: bool = False
    units: dict[str, tuple[str, str]] = Field(default_factory=dict)
    gateway_stats: str | None = None
    watchdog: str | None = None
    writes: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    quantizer: QuantizerRequest | None = None
    deadline: float = 20.0


TensorFacts = tuple[
    Annotated[str, Field(max_length=200)],
    Annotated[int, Field(ge=0, le=1000)],
    Annotated[tuple[Annotated[int, Field(ge=0, le=1 << 40)], ...], Field(max_length=8)],
]


class GGUFShape(Frozen):
    """What of a header tells how much memory the model takes: hyperparameters without the
    architecture in front, tensors (name, ggml's number of the type, dimensions) outside of blocks,
    and those of each kind of block; `blocks` are these kinds by number.
    """

    keys: Annotated[dict[str, bool | int | float | tuple[int, ...]], Field(max_length=200)]
    whole: Annotated[tuple[TensorFacts, ...], Field(max_length=20_000)]
    kinds: Annotated[tuple[tuple[TensorFacts, ...], ...], Field(max_length=10_000)]
    blocks: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(max_length=10_000)]


class GGUFFacts(Frozen):
    """The essentials of a GGUF header. `layers` counts blocks; the engine adds the output layer.
    `type` is what the file is: model, adapter, mmproj, vocab, imatrix; older files do not say.
    """

    version: int
    architecture: str | None = None
    type: str | None = None
    name: str | None = None
    layers: int | None = None
    context_length: int | None = None
    embedding_length: int | None = None
    head_count: int | None = None
    pooling_type: int | None = None
    chat_template: bool | None = None
    quantization: str | None = None
    tensor_count: int
    split_count: int | None = None
    shape: GGUFShape | None = None


Sizes = Annotated[
    dict[Annotated[str, Field(max_length=20)], Annotated[int, Field(ge=0, le=1 << 50)]],
    Field(max_length=20),
]


class WeightFacts(Frozen):
    """Bytes of the tensors in safetensors files by what they are: embedding, head, attention, kv,
    mlp, experts, router, vision, draft, or whole for the rest. `kinds` are of layers that differ,
    `layers` their kinds by number; what lies outside of layers, and all experts, is in `whole`.
    `types` are bytes by how numbers are stored, without experts.
    """

    whole: Sizes
    kinds: Annotated[tuple[Sizes, ...], Field(max_length=1000)]
    layers: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(max_length=1000)]
    types: Sizes


class LinkFacts(Frozen):
    """Where links among a model's files lead, outside of the folder that holds it. `folders` are
    those of their targets, or files themselves; `closed` is the first that a user of no group may
    not pass; `lost` names a link that a container would not find the end of.
    """

    folders: tuple[str, ...] = ()
    closed: str | None = None
    lost: str | None = None


class QuantizedFacts(Frozen):
    """What a file was made of on the host: a source of the state `of`, by a quantizer of the
    version `by`. `coming`: it is not there yet, and its header is a forecast."""

    of: str
    by: str = ""
    coming: bool = False


class ModelFacts(Frozen):
    """A model as it lies on the host. `path` is where the engine would be pointed at.

    `state` identifies the content cheaply (size, mtime and inode of each file): another file
    under the same path has another state. `error` says what is wrong (missing, cut short, not
    readable, no GGUF though its name says so) and is None when the files can be used; `missing`
    tells the first of these from the others. `cached` means that what an earlier header with the
    same state said was used. `closed_file` is the first of its files that a user of no group may
    not read, `closed_folder` the topmost folder on the way that such a user may not pass.
    `closed_inside` is that of the folders which a container is given. `real_path` is `path` without
    links.
    `config_format` tells a folder in Mistral's own layout, which has no config.json. `revision` is
    the commit that was taken where the one asked for is not in the cache, `choices` is how a
    manifest would name each of several files that may be meant. `hint` is what to do about an
    error. `quantized`: it was made on the host, of another file; `unquantized` is that file, where
    it is there and nothing was made of it yet.
    """

    key: str
    path: str | None = None
    format: Literal["gguf", "hf", "unknown"] | None = None
    config_format: Literal["mistral"] | None = None
    size: int | None = None
    state: str | None = None
    gguf: GGUFFacts | None = None
    config: dict[str, object] | None = None
    weights: WeightFacts | None = None
    error: str | None = None
    missing: bool = False
    cached: bool = False
    closed_file: str | None = None
    closed_folder: str | None = None
    closed_inside: str | None = None
    revision: str | None = None
    choices: tuple[str, ...] = ()
    real_path: str | None = None
    links: LinkFacts | None = None
    hint: str | None = None
    quantized: QuantizedFacts | None = None
    unquantized: "ModelFacts | None" = None


class QuantizerFacts(Frozen):
    """llama.cpp's quantizer on a host; `program` None: there is none. `options` are those of its
    `--help`. `leftover` are bytes that what was cut has left, and that the next use frees."""

    program: str | None = None
    version: str = ""
    options: tuple[str, ...] = ()
    error: str | None = None
    leftover: int = 0


class PartFacts(Frozen):
    """What is there of a file that is not whole; `size` in bytes on the disk."""

    path: str
    size: int


class FolderFacts(Frozen):
    """A folder that models are brought to; where it is not there, what it would be in. `free` and
    `total` in bytes. `closed` says why nothing can be written there. `parts` are what transfers
    that were cut have left beneath it. `rates` are bytes a second of the last transfer, by its
    route as state/transfer.py has it."""

    path: str
    exists: bool
    free: int
    total: int
    closed: str | None = None
    parts: Annotated[tuple[PartFacts, ...], Field(max_length=1000)] = ()
    rates: Annotated[dict[str, float], Field(max_length=10)] = Field(default_factory=dict)


class EngineFacts(Frozen):
    """What an engine build said of itself. `state` is the image ID or the binary's file state.

    `flags` are the long and short options in its `--help`; `markers` further words of it that
    matter (`[on|off|auto]`). `cached` means that an earlier answer for the same state was used.
    `error` says why it cannot be used; `pullable` that a registry has the missing image.
    `layers_there`: it is not the image that was to be looked for, of which the host has so many
    layers. `coming`: it is not there yet, and this is what it will be.
    """

    backend: str
    binary: str | None = None
    image: str | None = None
    state: str | None = None
    entrypoint: tuple[str, ...] = ()
    user: str | None = None
    flags: tuple[str, ...] = ()
    markers: tuple[str, ...] = ()
    reading: int = 1
    cached: bool = False
    pullable: bool = False
    layers_there: Annotated[int, Field(ge=0)] | None = None
    coming: bool = False
    error: str | None = None


class ContainerFacts(Frozen):
    """A container that carries this project's label or one of its names. `restarts` counts those
    by the daemon's restart policy. `gpu_request`: it was given GPUs by a device request (`--gpus`),
    which a reload of systemd can take away again, and not by CDI or device files.
    """

    name: str
    id: str
    image_id: str
    state: str
    labels: dict[str, str] = Field(default_factory=dict)
    ports: tuple[int, ...] = ()
    pid: int | None = None
    exit_code: int | None = None
    started_at: Moment | None = None
    restarts: int | None = None
    oom_killed: bool = False
    gpu_request: bool = False


class DockerFacts(Frozen):
    """The Docker daemon as seen through its socket. `reason` says why it is not usable.
    `unit` runs it, None where it was started by hand. `userns`: it gives containers other users
    than the host's; told where an image is asked for. `runtimes` and `cdi_devices` are asked for
    where an NVIDIA GPU is. `store` is how it keeps images, `root` where, told with `userns`."""

    state: Literal["ok", "absent", "down", "denied", "podman", "snap", "rootless"]
    version: str | None = None
    cli: str | None = None
    unit: UnitName | None = DOCKER_UNIT
    userns: bool = False
    runtimes: tuple[str, ...] = ()
    cdi_devices: tuple[str, ...] = ()
    store: Store = "classic"
    root: FolderFacts | None = None
    containers: tuple[ContainerFacts, ...] = ()
    reason: str | None = None

    def container(self, name: str) -> ContainerFacts | None:
        return next((c for c in self.containers if c.name == name), None)


class ServiceFacts(Frozen):
    """A systemd unit or a supervised process of this project.

    `sha256` is of the definition's file content, `uid` who owns that file; `state` is systemd's
    ActiveState (`active`, `activating`, `inactive`, `failed`...) in either case, `sub_state` its
    detail.
    `overridden` lists drop-ins that change the unit. `restarts` counts automatic ones.
    """

    name: str
    kind: Literal["unit", "program"]
    state: str
    sub_state: str | None = None
    result: str | None = None
    sha256: str | None = None
    uid: int | None = None
    enabled: bool | None = None
    overridden: tuple[str, ...] = ()
    needs_reload: bool = False
    pid: int | None = None
    restarts: int | None = None
    exit_status: int | None = None
    since: Moment | None = None
    invocation: str | None = None


class AdoptableFacts(Frozen):
    """A unit or container that the manifest names to be taken over. `ports` are those that a
    container publishes; `cgroup` is a part of its processes' cgroup paths. `at_boot`: it starts by
    itself. `vanishes`: once it is stopped there is nothing to start again (`docker run --rm`,
    `systemd-run`).
    """

    kind: Literal["unit", "container"]
    name: str
    running: bool
    at_boot: bool
    cgroup: str
    ports: tuple[int, ...] = ()
    vanishes: bool = False

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class PortFacts(Frozen):
    """A listening TCP port and, where asked, who holds it, as far as the login may know."""

    port: int
    address: str
    pid: int | None = None
    process: str | None = None
    unit: str | None = None


class FileFacts(Frozen):
    """A path that was asked for. `sha256` is of a regular file of at most 1 MiB."""

    path: str
    kind: Literal["file", "dir", "other", "absent", "denied"]
    size: int | None = None
    mode: int | None = None
    uid: int | None = None
    sha256: str | None = None


class UnwritableFolder(Frozen):
    """A folder that an apply would write to, and cannot. `at` is the folder, links resolved, or the
    one in which it would be made.
    """

    path: str
    at: str
    why: Literal["read-only", "immutable", "denied"]


class EditedFile(Frozen):
    """A file of the project whose content is not what was written (`exists` False: it is gone), or
    a drop-in of one of its units. `lines` are what it says now; None where that is no text or too
    long to be sent.
    """

    path: str
    exists: bool
    lines: Annotated[tuple[str, ...], Field(max_length=EDITED_LINES)] | None = None


class HealthFacts(Frozen):
    """What an instance's health endpoint said: the HTTP status, 0 where nothing answered.

    `run` is systemd's id of the current start; `log` what was printed since then, where that is
    not the start that the record knows.
    """

    instance: str
    status: int
    body: str | None = None
    run: str | None = None
    log: str | None = None


class LockFacts(Frozen):
    """The project's lock on the host, while somebody has it or waits for it. `holder` is what the
    owner wrote into it, `pid` who has it by the kernel's list; None, None where it is free.
    `queue` is what those wrote who wait, the first one first.
    """

    holder: str | None = None
    pid: int | None = None
    queue: tuple[str, ...] = ()


class FetchingFacts(Frozen):
    """What a fetch that goes on alone wrote of itself; `alive`: it still runs."""

    alive: bool
    state: str


class WatchdogFacts(Frozen):
    """The timer that looks after the engines, and the service that it starts. `timer` is its
    ActiveState, None where there is no such unit; `state`, `result` and `exit_status` are the
    service's, `last_run` when it last ended since boot.
    """

    timer: str | None = None
    enabled: bool = False
    state: str | None = None
    result: str | None = None
    exit_status: int | None = None
    last_run: Moment | None = None


class HostFacts(Frozen):
    """Everything that `plan` needs to know of a host, from one round trip.

    `machine_id` is a digest of /etc/machine-id, which clones of a machine share; `boot_id` is of
    its present boot. `record` is the text of the project's record file, None where there is none;
    `record_error` says that one is there and cannot be read. `etc_files` lists what lies in the
    project's folder of settings and secrets, `edited` what of all that was written differs from
    the record. `timer` is the watchdog's; `heal` is what the watchdog remembers (JSON),
    `watchdog` how it is itself, `python_path` the interpreter that the probe ran in. `timings` are
    the probe's own seconds by part. `reached` are those places that the host was to try which it
    reaches, None where it did not try. `errors` name the parts that could not be answered (gpu,
    docker, engines, services, models, ports, files, record, devices) and why: their fields are
    empty then, which means unknown. Of a host without a usable Python (`probe` is `sh`) nothing is
    known but the machine and its GPUs.
    `journal_gap` is what keeps the lines of a unit out of the host's journal.
    `exec_error` is why the probe could start no program at all.
    """

    format: int = FORMAT
    probe: Literal["python", "sh"]
    hostname: str
    arch: str
    kernel: str
    os: str | None = None
    machine_id: str | None = None
    boot_id: str | None = None
    python: str | None = None
    python_path: str | None = None
    user: str
    uid: int
    now: Moment
    cores: int
    cpu_model: str | None = None
    memory_total_mb: int | None = None
    memory_available_mb: int | None = None
    gpu: GPUDetectionResult
    systemd: str | None = None
    journal_gap: str | None = None
    docker: DockerFacts = DockerFacts(state="down", reason="it was not asked")
    services: tuple[ServiceFacts, ...] = ()
    timer: ServiceFacts | None = None
    adoptable: tuple[AdoptableFacts, ...] = ()
    ports: tuple[PortFacts, ...] = ()
    ephemeral_ports: tuple[int, int] | None = None
    models: tuple[ModelFacts, ...] = ()
    engines: tuple[EngineFacts, ...] = ()
    folders: tuple[FolderFacts, ...] = ()
    quantizer: QuantizerFacts | None = None
    reached: tuple[str, ...] | None = None
    files: tuple[FileFacts, ...] = ()
    etc_files: tuple[FileFacts, ...] = ()
    edited: tuple[EditedFile, ...] = ()
    groups: dict[str, int] = Field(default_factory=dict)
    device_files: tuple[str, ...] = ()
    health: tuple[HealthFacts, ...] = ()
    gateway_stats: str | None = None
    gateway_processes: int | None = None
    heal: str | None = None
    lock: LockFacts | None = None
    fetching: FetchingFacts | None = None
    watchdog: WatchdogFacts | None = None
    unwritable: tuple[UnwritableFolder, ...] = ()
    exec_error: str | None = None
    record: str | None = None
    record_error: str | None = None
    errors: dict[str, str] = Field(default_factory=dict)
    timings: dict[str, float] = Field(default_factory=dict)

    @property
    def no_python(self) -> str | None:
        """Why nothing is known of this host but its machine and GPUs; None where all is."""
        if self.probe == "python":
            return None
        return self.errors.get("python", "no python3 was found")

    def service(self, name: str) -> ServiceFacts | None:
        """A unit or program by its name without `.service` (see layout.Layout.service)."""
        return next((s for s in self.services if s.name.removesuffix(".service") == name), None)
