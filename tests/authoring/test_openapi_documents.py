"""Documents that are not what OpenAPI says: each becomes a manifest or one clear refusal, never a traceback."""

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connector_host import WrongUse
from connector_host.kernel.manifests.strict_yaml import read_yaml
from connector_host.workshop.scaffold import scaffold

PETS = Path(__file__).parent / "pets.yaml"
OPERATIONS = ("listPets", "addPet", "putPhoto", "search", "history", "all", "mood")
ODD: tuple[Any, ...] = (
    None,
    True,
    5,
    -1,
    1.5,
    "x",
    [],
    {},
    [None],
    {"$ref": "#/components/schemas/Pet"},
    {"$ref": 5},
    {"allOf": [True]},
)


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in inner:
        yield (*way, key)
        yield from places(child, (*way, key))


def spoiled(document: dict[str, Any], dice: random.Random) -> dict[str, Any]:
    made = copy.deepcopy(document)
    for _ in range(dice.randint(1, 4)):
        *way, last = dice.choice(list(places(made)))
        part: Any = made
        for key in way:
            part = part[key]
        if dice.random() < 0.4:
            del part[last]
        else:
            part[last] = dice.choice(ODD)
    return made


@pytest.mark.parametrize("seed", range(60))
def test_a_spoiled_document_is_refused_or_taken(tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    document = read_yaml(PETS).value
    (tmp_path / "api.json").write_text(json.dumps(spoiled(document, dice)))
    try:
        scaffold("pets", tmp_path / "pets", f"{tmp_path / 'api.json'}#{dice.choice(OPERATIONS)}")
    except WrongUse as error:
        assert str(error)
        assert not (tmp_path / "pets").exists()
    else:
        assert "commands" in read_yaml(tmp_path / "pets" / "manifest.yaml").value
