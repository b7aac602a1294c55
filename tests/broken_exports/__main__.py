"""``python -m tests.broken_exports FOLDER`` writes the corpus; ``--table`` writes docs/bad-input.md."""

from __future__ import annotations

import argparse
from pathlib import Path

from tests.broken_exports.corpus import CORPUS
from tests.broken_exports.table import DOCUMENT, document


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.broken_exports", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="where to write the exports, one folder a row")
    parser.add_argument("--table", action="store_true", help=f"run every row and write {DOCUMENT.name}")
    asked = parser.parse_args()
    if asked.table:
        DOCUMENT.write_text(document(CORPUS), encoding="utf-8")
    if asked.folder is not None:
        for case in CORPUS:
            target = asked.folder / case.kind.replace(" ", "-") / case.name
            target.mkdir(parents=True)
            case.make(target)


if __name__ == "__main__":
    main()
