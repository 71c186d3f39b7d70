"""`schema --of VERB`: a versioned JSON Schema of what each verb prints, met by every output of every test."""

import json

import jsonschema
import pytest

from connectors.kartra.sandbox import Sandbox
from pipelines.cli.shapes import SHAPES, schema_of
from pipelines.cli.verbs import VERBS
from tests.command.several import together
from tests.conftest import LOAD, Project, contact
from tests.json_shapes import check_shape

WITHOUT = {"schema"}
"""It prints schemas."""


def test_every_verb_that_prints_json_has_a_schema_with_a_version() -> None:
    with_json = {
        name
        for name, verb in VERBS.items()
        if any("--json" in option.opts for command in [verb.load()] for option in _options(command))
    }
    assert with_json - WITHOUT <= SHAPES.keys()
    for verb in SHAPES:
        schema = schema_of(verb)
        assert schema["version"] >= 1
        assert schema["$id"].endswith(f"/{verb}/{schema['version']}")
        jsonschema.Draft202012Validator.check_schema(schema)


def _options(command: object) -> list[object]:
    inner = [one for sub in getattr(command, "commands", {}).values() for one in sub.params]
    return [*getattr(command, "params", []), *inner]


def test_the_outputs_of_a_day_meet_the_schemas_that_the_command_prints(
    project: Project, sandbox: Sandbox
) -> None:
    project.contacts([contact(1), contact(2, Email="nobody"), contact(3, Tags="VIP")])
    project.pipeline(LOAD)
    outputs = {"run": project.run()}
    project.contacts(
        [contact(1, City="Porto"), contact(2, Email="nobody"), contact(3, Tags="VIP"), contact(4)]
    )
    looks = [
        ("plan", "p.yaml"),
        ("plan", "p.yaml", "--changes", "--save"),
        ("plans", "p.yaml"),
        ("check", "p.yaml"),
        ("status",),
        ("runs",),
        ("rejects", "p.yaml"),
        ("outcomes", "p.yaml"),
        ("show", "p.yaml"),
        ("parked", "p.yaml"),
        ("explain", "p.yaml", "lead1@example.org"),
        ("undo", "p.yaml", "last", "--plan-only", "--changes"),
        ("undo", "p.yaml", "last", "--yes"),
        ("errors",),
        ("init", "contacts.csv", "--to", "other.yaml"),
        ("inspect", "contacts.csv"),
        ("drift", "p.yaml"),
        ("state", "verify", "p.yaml"),
        ("state", "backup", "p.yaml"),
        ("reports",),
        ("call", "--list"),
    ]
    verbs = ["run", *dict.fromkeys(words[0] for words in looks)]
    schemas = together(project, [("schema", "--of", verb) for verb in verbs])
    said = dict(zip(verbs, schemas, strict=True))
    for words in looks:
        outputs[words[0]] = project.command(*words, "--json")
        assert outputs[words[0]].code in (0, 3), outputs[words[0]].stderr
        jsonschema.validate(outputs[words[0]].json, said[words[0]].json)
    jsonschema.validate(outputs["run"].json, said["run"].json)


def test_an_output_that_lacks_a_key_or_has_a_sentence_for_one_is_noticed() -> None:
    with pytest.raises(ValueError, match="run_id"):
        check_shape(("run", "--json"), json.dumps({"pipeline": "p"}))
    status = {"pipelines": [], "it was not possible to say": 1}
    with pytest.raises(AssertionError, match="sentences"):
        check_shape(("status", "--json"), json.dumps(status))


def test_a_failure_meets_the_schema_too(project: Project) -> None:
    done = project.command("run", "nothing.yaml", "--json")
    assert done.code == 2
    jsonschema.validate(done.json, schema_of("run"))


def test_an_unknown_verb_is_told(project: Project) -> None:
    done = project.command("schema", "--of", "rum")
    assert done.code == 2
    assert "there are" in done.stderr
