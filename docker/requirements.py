"""Print a project's requirements, one a line: ``requirements.py pyproject.toml EXTRA...``.

The dependency layer of the images is built from this list and ``constraints.txt`` alone. A change of the
project's code, or of a linter's settings in ``pyproject.toml``, leaves the list and so the layer as they are.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

__all__ = ["requirements"]


def requirements(pyproject: Path, extras: list[str]) -> list[str]:
    """Return the sorted requirements of a project and of some of its extras.

    Args:
        pyproject: The project's ``pyproject.toml``.
        extras: Names from ``[project.optional-dependencies]``, or ``build`` for what builds the project itself.

    Raises:
        KeyError: There is no such extra.
    """
    table = tomllib.loads(pyproject.read_text(encoding="utf-8"))
    if extras == ["build"]:
        return sorted(table["build-system"]["requires"])
    project = table["project"]
    found = {*project["dependencies"], *(line for extra in extras for line in project["optional-dependencies"][extra])}
    return sorted(found)


if __name__ == "__main__":
    sys.stdout.write("\n".join(requirements(Path(sys.argv[1]), sys.argv[2:])) + "\n")
