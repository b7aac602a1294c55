"""Every module says which names are public, and has them."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import pkgutil
from pathlib import Path

import pytest

import sam2vlm

#: What an extra brings; without it the modules that need it are not looked at.
EXTRAS = {
    "torch": ("checkpoints", "evaluation", "export", "modeling", "tracking", "trainers"),
    "kubernetes": ("cluster",),
}


def modules():
    absent = {
        f"sam2vlm.{package}"
        for library, packages in EXTRAS.items()
        if importlib.util.find_spec(library) is None
        for package in packages
    }
    found = sorted(
        item.name for item in pkgutil.walk_packages(sam2vlm.__path__, "sam2vlm.", onerror=lambda _name: None)
    )
    return [name for name in found if ".".join(name.split(".")[:2]) not in absent]


def _is_a_docstring(path):
    """A package that only groups its modules has no names of its own."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return path.name == "__init__.py" and len(body) == 1 and isinstance(body[0], ast.Expr)


@pytest.mark.parametrize("name", modules())
def test_public_names_are_declared_and_there(name):
    module = importlib.import_module(name)
    if _is_a_docstring(Path(module.__file__)):
        return
    assert isinstance(module.__all__, list)
    assert [public for public in module.__all__ if not hasattr(module, public)] == []
    assert len(module.__all__) == len(set(module.__all__))


def test_the_packages_of_the_specification_are_there():
    assert {"sam2vlm.config", "sam2vlm.data_converter", "sam2vlm.data_splitter", "sam2vlm.validation"} <= set(modules())
