"""The table of the corpus as Markdown, for docs/bad-input.md."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from sam2vlm.artifacts.markdown import escaped
from tests.broken_exports.case import DONE, Case
from tests.broken_exports.running import run_case

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

DOCUMENT = Path(__file__).parents[2] / "docs" / "bad-input.md"
HEAD = """# Bad input

Written by `python -m tests.broken_exports --table` from the corpus in `tests/broken_exports`; a test runs every row
and compares this list with the corpus, so change the corpus. `python -m tests.broken_exports FOLDER` writes the
exports themselves.

An export that cannot be trusted ends prepare with exit code 65 and one sentence: the file, the field in it, what was
expected and what was found. Nothing partial stays behind. What can be mended without guessing is mended, and the
report says so. Settings that cannot be end with 78, a full or lost volume with 75 (a retry goes on); the tests of
those are in `tests/jobs/test_bad_exports.py`.

{count} exports: {refused} refused, {mended} mended or noticed and reported, {harmless} odd but harmless.
"""


def table_rows(cases: Iterable[Case], *, sentences: Mapping[str, str]) -> Iterator[str]:
    """Yield each case's row; without its sentence only the row's beginning."""
    for case in cases:
        row = f"| `{case.name}` | {escaped(case.broken)} | {case.code} |"
        sentence = sentences.get(f"{case.kind}/{case.name}")
        yield row if sentence is None else f"{row} {escaped(sentence)} |"


def document(cases: list[Case]) -> str:
    """Run every case and return the whole document."""
    refused = sum(case.code != DONE for case in cases)
    mended = sum(bool(case.note) for case in cases)
    parts = [HEAD.format(count=len(cases), refused=refused, mended=mended, harmless=len(cases) - refused - mended)]
    for kind in dict.fromkeys(case.kind for case in cases):
        rows = [case for case in cases if case.kind == kind]
        sentences = {f"{kind}/{case.name}": _sentence(case) for case in rows}
        parts.append(f"## {kind[0].upper()}{kind[1:]}\n")
        parts.append("| Row | What is wrong | Exit | What prepare says |\n| --- | --- | --- | --- |")
        parts.append("\n".join(table_rows(rows, sentences=sentences)) + "\n")
    return "\n".join(parts)


def _sentence(case: Case) -> str:
    if case.code == DONE:
        return f"Report: {case.note}" if case.note else "Nothing: it is read as if nothing were wrong."
    with tempfile.TemporaryDirectory() as folder:
        made, ended = run_case(case, Path(folder))
        return ended.sentence.replace(str(made.path), made.path.name).replace(folder + os.sep, "")
