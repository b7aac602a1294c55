"""What operators return on the meta device, worked out once for each shape and made again from that.

A model is the same layer many times, so nearly every call is one that was made before. Torch works out each of them
anew, most of them in Python, which was four fifths of a plan's time.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.utils.flop_counter import flop_registry

__all__ = ["made_before", "run_on_meta", "tensors_in"]

#: Operators that return their own first argument, lists of operators in place, which return nothing, and views.
SELF, NOTHING, VIEW = "self", "nothing", "view"
_RECIPES: dict[Any, tuple[Any, int]] = {}


def made_before(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, int, bool] | None:
    """Make again what an operator returned for the same shapes.

    Only what lies on the meta device is made again, where shapes decide everything, and only where the operator
    returns storages of its own or its own first argument; a view is made by torch each time.

    Returns:
        What the operator returns, its floating-point operations, and whether there are storages of its own in it; None
        where it has not been run with these shapes, or values count.
    """
    try:
        known = _RECIPES.get(_key(func, args, kwargs))
    except (_ByValueError, TypeError):
        return None
    if known is None:
        return None
    recipe, flops = known
    if recipe is VIEW:
        return func(*args, **kwargs), flops, False
    if recipe is SELF:
        return args[0], flops, False
    if recipe is NOTHING:
        return None, flops, False
    return (_make(recipe) if recipe is not None else func(*args, **kwargs)), flops, True


def run_on_meta(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, int]:
    """Run an operator and remember what it returned.

    Returns:
        What the operator returns, and its floating-point operations.
    """
    try:
        key = _key(func, args, kwargs)
        hash(key)
    except (_ByValueError, TypeError):  # values count, or an argument cannot be a key
        key = None
    before = _shape_of_first(args)
    returned = func(*args, **kwargs)
    flops = _flops(func, args, kwargs, returned)
    if key is not None and key not in _RECIPES:
        recipe = _in_place(func, args, returned, before) or _recipe(func, (args, kwargs), returned)
        _RECIPES[key] = (recipe, flops)
    return returned, flops


def _key(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return func, _spec(args), _spec(tuple(kwargs.items())) if kwargs else None


def tensors_in(value: Any, into: list[torch.Tensor] | None = None) -> list[torch.Tensor]:
    """Return the tensors in tuples, lists and dictionaries; torch's own walk takes as long as the operators."""
    found: list[torch.Tensor] = [] if into is None else into
    if isinstance(value, torch.Tensor):
        found.append(value)
    elif isinstance(value, tuple | list):
        for part in value:
            tensors_in(part, found)
    elif isinstance(value, dict):
        tensors_in(list(value.values()), found)
    return found


class _ByValueError(Exception):
    """A tensor has values: what comes out may hang on them."""


def _spec(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        if not value.is_meta:
            raise _ByValueError
        return value.shape, value.stride(), value.dtype
    if isinstance(value, tuple | list):
        return tuple(map(_spec, value))
    # 1, 1.0 and True are one key to a dictionary and three types to an operator.
    return type(value), value


def _shape_of_first(args: tuple[Any, ...]) -> Any:
    first = args[0] if args else None
    if not isinstance(first, torch.Tensor):
        return None
    return first.shape, first.stride(), first.dtype, _identity(first)


def _in_place(func: Any, args: tuple[Any, ...], returned: Any, before: Any) -> str | None:
    if returned is None:
        return NOTHING if func._schema.is_mutable and func._schema.name.startswith("aten::_foreach_") else None  # noqa: SLF001
    return SELF if args and returned is args[0] and _shape_of_first(args) == before else None


def _recipe(func: Any, taken: Any, returned: Any) -> Any:
    """Return what it takes to make fresh tensors like these; None where they share a storage or have values."""
    leaves = returned if isinstance(returned, tuple | list) else (returned,)
    if func._schema.is_mutable or not all(leaf is None or isinstance(leaf, torch.Tensor | int) for leaf in leaves):  # noqa: SLF001
        return None
    tensors = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
    own, others = {_identity(leaf) for leaf in tensors}, set(map(_identity, tensors_in(taken)))
    if tensors and own <= others:
        return VIEW
    if not tensors or len(own) < len(tensors) or own & others:
        return None
    for leaf in tensors:
        # A part of a larger storage is not made by its own shape.
        again = torch.empty_strided(leaf.shape, leaf.stride(), dtype=leaf.dtype, device="meta")
        if not leaf.is_meta or again.untyped_storage().nbytes() != leaf.untyped_storage().nbytes():
            return None
    kinds = [(leaf.shape, leaf.stride(), leaf.dtype) if isinstance(leaf, torch.Tensor) else leaf for leaf in leaves]
    return kinds[0] if isinstance(returned, torch.Tensor) else (type(returned), kinds)


def _identity(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)  # noqa: SLF001  its storage's


def _make(recipe: Any) -> Any:
    if isinstance(recipe[0], torch.Size):
        return torch.empty_strided(recipe[0], recipe[1], dtype=recipe[2], device="meta")
    kind, parts = recipe
    return kind(_make(part) if isinstance(part, tuple) else part for part in parts)


def _flops(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], returned: Any) -> int:
    formula = flop_registry.get(func._overloadpacket)  # noqa: SLF001  what torch's own counter looks up
    return int(formula(*args, **kwargs, out_val=returned)) if formula is not None else 0
