"""GPUs, contexts, layers and splits that the manifest leaves to the tool."""

from pathlib import Path
from typing import Any

import pytest

from tests.fit.measured import model
from tests.fit.test_from_a_header import sent
from tests.render.scene import Scene
from xgen_deploy.frozen import replace
from xgen_deploy.resolve.host import Resolved, resolve_host
from xgen_deploy.state.facts import GGUFFacts
from xgen_deploy.state.instance import Instance
from xgen_deploy.state.record import InstanceRecord, Record

SOURCE = "/m/Qwen3-8B-Q4_K_M.gguf"
EMPTY = (80_000, 80_000, 80_000, 80_000)
UNEVEN = (80_000, 70_000, 60_000, 50_000)


def header(name: str = "llama3-8b") -> GGUFFacts:
    shape = sent(model(name))
    context = shape.keys.get("context_length")
    return GGUFFacts(
        version=3,
        architecture=model(name).architecture,
        tensor_count=1,
        layers=len(shape.blocks),
        context_length=context if isinstance(context, int) else None,
        shape=shape,
    )


class Host:
    """Four cards of one kind; `free` in MiB."""

    def __init__(self, folder: Path, gguf: GGUFFacts | None = None, runtime: str = "docker"):
        self._folder, self._gguf, self._runtime = folder, gguf or header(), runtime
        self.record = Record(project="p")

    def resolved(self, place: Any, free: tuple[int | None, ...] = EMPTY, **more: Any) -> Resolved:
        rebalance = more.pop("rebalance", False)
        fields = more.pop("fields", {})
        scene = Scene(
            {
                "case": "choosing",
                "host": "h100x4",
                "runtime": self._runtime,
                "models": {"m": {"source": SOURCE, **fields}},
                "place": place,
                **more,
            },
            self._folder,
        )
        cards = scene.facts.gpu.gpus
        gpus = tuple(replace(g, memory_free_mb=f) for g, f in zip(cards, free, strict=True))
        facts = replace(
            scene.facts,
            models=tuple(replace(m, gguf=self._gguf) for m in scene.facts.models),
            gpu=replace(scene.facts.gpu, gpus=gpus),
        )
        host = scene.site.hosts["h"]
        return resolve_host(scene.site, host, facts, self.record, scene.layout, rebalance=rebalance)

    def only(self, place: Any, free: tuple[int | None, ...] = EMPTY, **more: Any) -> Instance:
        resolved = self.resolved(place, free, **more)
        assert not resolved.refusals, resolved.refusals
        (instance,) = resolved.instances
        return instance

    def applied(self, instance: Instance) -> Instance:
        last = InstanceRecord(
            spec=instance.spec, digest=instance.digest, declared=instance.declared
        )
        self.record = self.record.with_instance(instance.name, last)
        return instance


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def indices(instance: Instance) -> list[int]:
    return [gpu.index for gpu in instance.gpus]


AUTO = [{"model": "m", "gpus": "auto"}]


def test_the_tightest_card_that_holds_it_is_taken_and_said_why(host: Host) -> None:
    instance = host.only(AUTO, UNEVEN)
    assert indices(instance) == [3]
    assert "GPU 3: 44.6 GiB to give, the tightest that holds it" in instance.notes


def test_of_equal_cards_the_first(host: Host) -> None:
    assert indices(host.only(AUTO)) == [0]


def test_a_card_that_is_too_full_is_left_alone(host: Host) -> None:
    assert indices(host.only(AUTO, (80_000, 70_000, 3_000, 60_000))) == [3]


def test_several_of_one_kind_where_no_card_alone_holds_it(host: Host) -> None:
    instance = host.only(AUTO, (8_300, 8_200, 8_100, 8_000))
    assert indices(instance) == [2, 3]
    assert sum(instance.spec.llama.tensor_split or ()) == 33


def test_so_many_as_are_stated(host: Host) -> None:
    instance = host.only([{"model": "m", "gpus": {"count": 2}}], UNEVEN)
    assert indices(instance) == [2, 3]
    assert instance.spec.llama.tensor_split == (18.0, 15.0)


def test_more_than_there_are_is_refused(host: Host) -> None:
    (refusal,) = host.resolved([{"model": "m", "gpus": {"count": 5}}]).refusals
    assert refusal.reason == "5 GPUs were asked for, and h has 4 to give"


def test_the_choice_stays_while_it_fits(host: Host) -> None:
    before = host.applied(host.only(AUTO, UNEVEN))
    assert host.only(AUTO, (5_000, 80_000, 80_000, 80_000)).digest == before.digest
    changed = host.only(AUTO, EMPTY, fields={"n_ctx": 8192})
    assert indices(changed) == [3]


def test_a_change_that_no_longer_fits_there_goes_elsewhere(host: Host) -> None:
    host.applied(host.only(AUTO, UNEVEN))
    changed = host.only(AUTO, (80_000, 60_000, 80_000, 3_000), fields={"n_ctx": 8192})
    assert indices(changed) == [1]


def test_rebalance_chooses_anew(host: Host) -> None:
    host.applied(host.only(AUTO, UNEVEN))
    again = host.only(AUTO, (20_000, 80_000, 80_000, 80_000), rebalance=True)
    assert indices(again) == [0]


def test_what_is_stated_goes_first_whatever_the_order(host: Host) -> None:
    place = [{"model": "m", "name": "a", "gpus": "auto"}, {"model": "m", "gpus": [3]}]
    instances = host.resolved(place, (80_000, 80_000, 80_000, 14_000)).instances
    assert [(i.name, indices(i)) for i in instances] == [("a", [0]), ("m", [3])]


def test_the_longest_context_that_fits(host: Host) -> None:
    fields = {"n_ctx": "auto", "max_ctx": 8192, "llama": {"parallel": 4}}
    roomy = host.only([{"model": "m", "gpus": [0]}], fields=fields)
    assert roomy.spec.n_ctx == 8192
    tight = host.only([{"model": "m", "gpus": [0]}], (12_000, 0, 0, 0), fields=fields)
    assert 4096 <= tight.spec.n_ctx < 8192
    assert tight.spec.n_ctx % 256 == 0
    assert f"n_ctx {tight.spec.n_ctx}: the longest that fits" in tight.notes


def test_not_shorter_than_stated(host: Host) -> None:
    fields = {"n_ctx": "auto", "min_ctx": 8000}
    (refusal,) = host.resolved(
        [{"model": "m", "gpus": [0]}], (12_000, 0, 0, 0), fields=fields
    ).refusals
    assert refusal.reason.startswith("no place on h holds it: it needs ")
    assert "of GPU 0, which has " in refusal.reason


def test_with_a_gateway_there_is_room_for_a_second_one(host: Host) -> None:
    fields = {"n_ctx": "auto", "max_ctx": 8192}
    alone = host.only([{"model": "m", "gpus": [0]}], (19_000, 0, 0, 0), fields=fields)
    top = {"gateway": {"host": "h"}}
    beside = host.only([{"model": "m", "gpus": [0]}], (21_000, 0, 0, 0), fields=fields, top=top)
    assert beside.spec.n_ctx < alone.spec.n_ctx
    none = host.only([{"model": "m", "gpus": [0]}], (17_000, 0, 0, 0), fields=fields, top=top)
    assert "there is no room for a second one beside it: a change stops it first" in none.notes


@pytest.mark.parametrize(
    ("stated", "layers"), [("50%", 16), ("99%", 32), ("100%", 33), ("1%", 0), (16, 16)]
)
def test_a_share_of_the_layers(stated: str | int, layers: int, host: Host) -> None:
    """Of 33, rounded down; what is recorded is a number."""
    instance = host.only([{"model": "m", "gpus": [0], "n_gpu_layers": stated}])
    assert instance.spec.n_gpu_layers == layers


def test_a_share_of_nobody_knows_how_many_layers(tmp_path: Path) -> None:
    host = Host(tmp_path, replace(header(), layers=None))
    resolved = host.resolved([{"model": "m", "gpus": [0], "n_gpu_layers": "50%"}])
    (refusal,) = resolved.refusals
    assert refusal.reason == (
        "n_gpu_layers is 50%, and its file does not tell how many layers it has"
    )


def test_the_most_layers_that_fit(host: Host) -> None:
    place = [{"model": "m", "gpus": [0], "n_gpu_layers": "auto"}]
    assert host.only(place).spec.n_gpu_layers == "all"
    partial = host.only(place, (6_000, 0, 0, 0))
    layers = partial.spec.n_gpu_layers
    assert isinstance(layers, int)
    assert 0 < layers < 33
    assert f"{layers} layers on the GPU: the most that fit" in partial.notes


def test_a_part_on_the_cpu_only_where_no_cards_hold_it_whole(host: Host) -> None:
    place = [{"model": "m", "gpus": "auto", "n_gpu_layers": "auto"}]
    assert host.only(place, (6_500, 6_500, 6_500, 6_500)).spec.n_gpu_layers == "all"


def test_the_split_over_several_is_always_stated_and_never_changed_by_itself(host: Host) -> None:
    place = [{"model": "m", "gpus": [0, 1]}]
    before = host.applied(host.only(place, (80_000, 40_000, 0, 0)))
    assert before.spec.llama.tensor_split == (22.0, 11.0)
    assert host.only(place, (40_000, 80_000, 0, 0)).digest == before.digest


def test_what_runs_without_a_split_is_not_started_anew_for_one(host: Host) -> None:
    place = [{"model": "m", "gpus": [0, 1]}]
    unknown = (None, None, None, None)
    before = host.applied(host.only(place, unknown))
    assert before.spec.llama.tensor_split is None
    assert host.only(place).digest == before.digest
    assert host.only(place, fields={"n_ctx": 8192}).spec.llama.tensor_split == (16.0, 17.0)


def test_nothing_is_chosen_by_what_is_not_known(host: Host, tmp_path: Path) -> None:
    (refusal,) = host.resolved(AUTO, (None, None, None, None)).refusals
    assert "cannot be measured" in refusal.reason
    headless = Host(tmp_path, GGUFFacts(version=3, architecture="llama", tensor_count=1))
    (refusal,) = headless.resolved(AUTO).refusals
    assert "cannot be forecast" in refusal.reason
    assert refusal.hint == "State `gpus`, `n_ctx` and `n_gpu_layers`."


def test_what_a_plan_chose_is_what_it_carries_out(host: Host) -> None:
    chosen = host.only(AUTO, UNEVEN).declared
    assert chosen.chosen is not None
    assert chosen.chosen.gpus == ("GPU-d",)
    assert chosen.gpus == "auto"
