"""Groups that change some values of another group: the same fields and bounds, each None where nothing is changed."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field, create_model

from sam2vlm.config.hyperparameters import Group

__all__ = ["UNSET", "merged", "overrides_of"]

#: How the settings table shows the default of such a field.
UNSET = "from the preset"


def overrides_of(group: type[BaseModel], *, without: tuple[str, ...] = ()) -> type[BaseModel]:
    """Return a model with a group's fields, every one optional, so that descriptions and bounds stand once.

    Args:
        group: The group whose values may be changed.
        without: Fields to leave out (groups inside of the group, which have overrides of their own).
    """
    # Through a name of type Any: to mypy and ruff the subscript is a value here, which it is.
    annotated: Any = Annotated
    fields: dict[str, Any] = {}
    for name, info in group.model_fields.items():
        if name not in without:
            parts = info.asdict()
            attributes = {key: value for key, value in parts["attributes"].items() if not key.startswith("default")}
            attributes["json_schema_extra"] = {**(attributes.get("json_schema_extra") or {}), "unset": UNSET}
            plain: Any = parts["annotation"]
            kind = annotated[(plain | None, *parts["metadata"], Field(**attributes))]
            fields[name] = (kind, None)
    return create_model(f"{group.__name__}Overrides", __base__=Group, __doc__=group.__doc__, **fields)


def merged(values: dict[str, Any], changes: BaseModel) -> dict[str, Any]:
    """Return the values with those of the changes that are set in place of their own."""
    return {**values, **changes.model_dump(mode="json", exclude_none=True)}
