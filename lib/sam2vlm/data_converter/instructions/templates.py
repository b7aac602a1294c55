"""The words of questions and answers, by language: the package's own, or a file of the user's in their place."""

from __future__ import annotations

import functools
import importlib.resources
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sam2vlm.data_converter.instructions.slots import names_in
from sam2vlm.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["PHRASES", "QUESTIONS", "RELATIONS", "Templates", "load_templates", "package_templates", "wordings"]

#: What each task's wordings name: exactly these places, each at least once.
QUESTIONS: Mapping[str, frozenset[str]] = {
    "detect": frozenset(),
    "count": frozenset(),
    "describe": frozenset(),
    "locate": frozenset({"label"}),
    "refer": frozenset({"which"}),
    "name": frozenset({"region"}),
    "polygon": frozenset({"label"}),
    "absent": frozenset({"label"}),
    "first_last": frozenset({"label"}),
    "intervals": frozenset({"label"}),
    "track": frozenset({"label"}),
}
RELATIONS = ("leftmost", "rightmost", "topmost", "lowest", "largest", "smallest")
#: The same of the answers' parts.
PHRASES: Mapping[str, frozenset[str]] = {
    "nothing": frozenset(),
    "one": frozenset({"listing"}),
    "many": frozenset({"count", "listing"}),
    "item": frozenset({"count", "label"}),
    "comma": frozenset(),
    "and": frozenset(),
    "object": frozenset(),
    "absent": frozenset({"label"}),
    **dict.fromkeys(RELATIONS, frozenset({"label"})),
    "first_last": frozenset({"first", "last"}),
    "interval": frozenset({"first", "last"}),
    # Where an object is at a time.
    "place": frozenset({"time", "box"}),
}
_MAX_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Templates:
    """Wordings.

    Attributes:
        questions: By language and task.
        phrases: By language and name.
    """

    questions: Mapping[str, Mapping[str, tuple[str, ...]]]
    phrases: Mapping[str, Mapping[str, str]]

    def wordings(self, language: str, task: str) -> tuple[str, ...]:
        """Return the wordings of a task's question.

        Raises:
            SettingsError: There are none in this language.
        """
        if language not in self.questions:
            raise SettingsError(
                "no wordings in this language",
                field="language",
                expected=" or ".join(sorted(self.questions)),
                found=language,
            )
        return self.questions[language][task]


@functools.cache
def package_templates() -> Templates:
    """Return the wordings that come with the package."""
    resource = importlib.resources.files(__package__).joinpath("templates.json")
    return _checked(json.loads(resource.read_text(encoding="utf-8")), like=None)


def load_templates(path: Path) -> Templates:
    """Read a user's wordings.

    What the file leaves out of a language that the package has is taken from the package; another language has to be
    there whole.

    Args:
        path: JSON in UTF-8, of the form of the package's ``templates.json``.

    Raises:
        SettingsError: It cannot be read, or something in it is wrong; the field is named.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SettingsError(
            "the templates cannot be read", source=path, expected="a JSON file", found=error.strerror
        ) from None
    if len(content) > _MAX_BYTES:
        raise SettingsError("is too large for templates", source=path, expected=f"at most {_MAX_BYTES} bytes")
    try:
        return _checked(json.loads(content), like=package_templates())
    except SettingsError as error:
        raise error.with_source(path) from None
    except (ValueError, RecursionError) as error:
        raise SettingsError("is no JSON", source=path, expected="templates as JSON in UTF-8", found=error) from None


def wordings(language: str, task: str) -> tuple[str, ...]:
    """Return the package's wordings of a task's question.

    Raises:
        SettingsError: There are none in this language.
    """
    return package_templates().wordings(language, task)


def _checked(raw: Any, *, like: Templates | None) -> Templates:
    if not isinstance(raw, dict) or not raw:
        raise SettingsError("is no set of templates", expected='{"en": {"detect": [...], ...}}', found=_kind(raw))
    questions, phrases = {}, {}
    for language, content in raw.items():
        if not isinstance(content, dict):
            raise SettingsError("is no language", field=language, expected="an object", found=_kind(content))
        questions[language] = _language(content, language, like.questions.get(language, {}) if like else {})
        phrases[language] = _phrases(
            content.get("phrases", {}), language, like.phrases.get(language, {}) if like else {}
        )
    return Templates(questions, phrases)


def _language(
    content: Mapping[str, Any], language: str, ours: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    for key in content:
        if key not in QUESTIONS and key != "phrases":
            raise SettingsError(
                "no such task", field=f"{language}.{key}", expected=f"{' or '.join(QUESTIONS)} or phrases"
            )
    found = dict(ours)
    for task, places in QUESTIONS.items():
        if task in content:
            found[task] = _questions(content[task], f"{language}.{task}", places)
        elif task not in found:
            raise SettingsError("is missing", field=f"{language}.{task}", expected="its wordings", found="nothing")
    return found


def _questions(value: Any, field: str, places: frozenset[str]) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise SettingsError("are no wordings", field=field, expected="a list of texts", found=_kind(value))
    for number, wording in enumerate(value):
        _text(wording, f"{field}[{number}]", places)
        if not wording.strip():
            raise SettingsError("is an empty wording", field=f"{field}[{number}]", expected="a question")
    if len(set(value)) < len(value):
        raise SettingsError("holds a wording twice", field=field, expected="different wordings")
    return tuple(value)


def _phrases(value: Any, language: str, ours: Mapping[str, str]) -> dict[str, str]:
    if not isinstance(value, dict):
        raise SettingsError("are no phrases", field=f"{language}.phrases", expected="an object", found=_kind(value))
    for name in value:
        if name not in PHRASES:
            raise SettingsError("no such phrase", field=f"{language}.phrases.{name}", expected=" or ".join(PHRASES))
    found = {**ours, **value}
    for name, places in PHRASES.items():
        if name not in found:
            raise SettingsError("is missing", field=f"{language}.phrases.{name}", expected="a text", found="nothing")
        _text(found[name], f"{language}.phrases.{name}", places)
    return found


def _text(value: Any, field: str, places: frozenset[str]) -> None:
    if not isinstance(value, str):
        raise SettingsError("is no text", field=field, expected="a text", found=_kind(value))
    named = names_in(value)
    if named != places:
        wanted = " and ".join(f"{{{place}}}" for place in sorted(places)) or "none"
        raise SettingsError(
            "names the wrong places, or has a brace alone (a brace that means itself is doubled)",
            field=field,
            expected=wanted,
            found=value,
        )
    try:
        value.encode()
    except UnicodeEncodeError:
        raise SettingsError("is no Unicode text", field=field, found=ascii(value)) from None


def _kind(value: Any) -> str:
    return type(value).__name__
