"""The table of foreign names leads to fields that there are."""

import pytest
from pydantic import BaseModel

from xgen_deploy.manifest.foreign_names import advice
from xgen_deploy.manifest.foreign_words import ENGINE_OPTIONS, IN_DRAFT, LEFT_OUT, RENAMED
from xgen_deploy.manifest.schema import Manifest, ModelFields, Placement
from xgen_deploy.state.features import Draft
from xgen_deploy.state.settings import (
    ENGINE_SETTINGS,
    ContainerSettings,
    LlamaSettings,
    Sampling,
    VllmSettings,
)

SECTIONS: dict[str, type[BaseModel]] = {
    **ENGINE_SETTINGS,
    "container": ContainerSettings,
    "sampling": Sampling,
}
FIELDS = {*ModelFields.model_fields, *Placement.model_fields, *Manifest.model_fields} | {
    f"{section}.{field}" for section, kind in SECTIONS.items() for field in kind.model_fields
}


def test_every_name_stands_for_a_field() -> None:
    assert {field for fields in RENAMED.values() for field in fields} - FIELDS == set()
    assert set(IN_DRAFT.values()) - Draft.model_fields.keys() == set()


def test_every_option_of_an_engine_with_a_field_leads_to_it() -> None:
    for engine in ENGINE_SETTINGS.values():
        led = {*engine.options.named.values(), *engine.options.written.values()}
        assert {field for field in led if not field.startswith("draft.")} - FIELDS == set()


def test_an_option_that_has_a_field_is_not_passed_on() -> None:
    own = {name for name in ENGINE_OPTIONS if advice(name, ModelFields) is not None}
    assert own == ENGINE_OPTIONS.keys()
    for name, section in ENGINE_OPTIONS.items():
        assert "has no field" in (advice(name, SECTIONS[section]) or ""), name


@pytest.mark.parametrize("kind", [ModelFields, LlamaSettings, VllmSettings, Sampling])
def test_no_name_is_left_out_that_is_a_field(kind: type[ModelFields]) -> None:
    assert kind.model_fields.keys() & LEFT_OUT.keys() == set()


def test_what_is_nobody_s_word_gets_no_advice() -> None:
    assert advice("xyz", ModelFields) is None
