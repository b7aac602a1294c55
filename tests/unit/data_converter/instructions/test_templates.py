"""A user's own words in place of the package's: used as they are, or refused in one sentence that names the field."""

from __future__ import annotations

import json

import pytest

from sam2vlm.data_converter.instructions import TASKS, load_templates
from sam2vlm.data_converter.instructions.slots import escaped, filled, names_in, rendered
from sam2vlm.data_converter.instructions.templates import PHRASES, QUESTIONS, package_templates
from sam2vlm.errors import SettingsError


def test_the_package_has_every_task_in_english_and_chinese_in_several_wordings():
    templates = package_templates()
    assert set(templates.questions) == set(templates.phrases) == {"en", "zh"}
    assert set(QUESTIONS) == set(TASKS)
    for language in ("en", "zh"):
        assert set(templates.phrases[language]) == set(PHRASES)
        assert all(len(templates.wordings(language, task)) > 1 for task in TASKS)
    chinese = [word for task in TASKS for word in templates.wordings("zh", task)]
    assert all(any("\u4e00" <= character <= "\u9fff" for character in word) for word in chinese)


def written(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_what_a_file_leaves_out_of_a_known_language_is_the_packages(tmp_path):
    path = written(tmp_path / "t.json", {"en": {"count": ["How many?"], "phrases": {"nothing": "Nothing at all."}}})
    ours, theirs = package_templates(), load_templates(path)
    assert theirs.wordings("en", "count") == ("How many?",)
    assert theirs.wordings("en", "detect") == ours.wordings("en", "detect")
    assert theirs.phrases["en"] == {**ours.phrases["en"], "nothing": "Nothing at all."}
    with pytest.raises(SettingsError, match=r"no wordings in this language.*expected en; found zh"):
        theirs.wordings("zh", "count")


def test_another_language_that_is_there_whole(tmp_path):
    ours = package_templates()
    german = {task: list(ours.wordings("en", task)) for task in TASKS} | {"phrases": dict(ours.phrases["en"])}
    assert load_templates(written(tmp_path / "t.json", {"de": german})).wordings("de", "count")
    del german["phrases"]["comma"]
    with pytest.raises(SettingsError, match=r"t\.json: de\.phrases\.comma: is missing"):
        load_templates(written(tmp_path / "t.json", {"de": german}))


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", r"t\.json: is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ([], r"is no set of templates \(expected .*; found list\)"),
        ({}, "is no set of templates"),
        ({"en": 3}, "en: is no language"),
        ({"en": {"sing": ["la"]}}, r"en\.sing: no such task"),
        ({"en": {"count": []}}, r"en\.count: are no wordings"),
        ({"en": {"count": "How many?"}}, r"en\.count: are no wordings"),
        ({"en": {"count": [7]}}, r"en\.count\[0\]: is no text"),
        ({"en": {"count": [" "]}}, r"en\.count\[0\]: is an empty wording"),
        ({"en": {"count": ["a?", "a?"]}}, r"en\.count: holds a wording twice"),
        ({"en": {"count": ["How many {label}?"]}}, r"en\.count\[0\]: names the wrong places.*expected none"),
        ({"en": {"locate": ["Where?"]}}, r"en\.locate\[0\]: names the wrong places.*expected \{label\}; found Where\?"),
        ({"en": {"locate": ["{label} {"]}}, "a brace alone"),
        ({"en": {"locate": ["{label.__class__}"]}}, r"en\.locate\[0\]: names the wrong places"),
        ({"en": {"phrases": {"one": "{count}"}}}, r"en\.phrases\.one: names the wrong places"),
        ({"en": {"phrases": {"more": "x"}}}, r"en\.phrases\.more: no such phrase"),
        ({"en": {"phrases": []}}, r"en\.phrases: are no phrases"),
        ({"fr": {"count": ["Combien?"]}}, r"fr\.detect: is missing"),
        ('{"en": {"count": ["\\ud800"]}}', r"en\.count\[0\]: is no Unicode text"),
    ],
)
def test_a_wrong_file_is_refused_in_one_sentence(tmp_path, content, sentence):
    with pytest.raises(SettingsError, match=sentence) as told:
        load_templates(written(tmp_path / "t.json", content))
    assert "\n" not in str(told.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(SettingsError, match="the templates cannot be read"):
        load_templates(tmp_path / "none.json")


@pytest.mark.parametrize("label", ["{object}", "}{", "{{", "a", "{label}", "\\{"])
def test_a_text_in_a_place_means_itself(label):
    half = filled("Is {label} in {region}? {{yes}}", {"label": label})
    assert rendered(half, {"region": "[1]"}.__getitem__) == f"Is {label} in [1]? {{yes}}"
    assert rendered(escaped(label), str) == label
    assert names_in(escaped(label)) == frozenset()
