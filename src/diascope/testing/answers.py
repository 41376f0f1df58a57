"""The types of the client's answers, written from the service's own models: `python -m diascope.testing.answers`.

The client knows nothing of the service's code. A test compares what lies there with what would be written.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastapi.routing import APIRoute
from pydantic import BaseModel

import diascope.client
from diascope.serve.http.routing import routers

FOLDER = Path(diascope.client.__file__).parent / "answers"
HEAD = '"""Answers of the service: {what}. Written by `diascope.testing.answers`, not by hand."""\n\n'
PLAIN = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}


def files() -> dict[str, str]:
    """Name of each file of `client/answers` to its content."""
    found: dict[str, dict[str, type[BaseModel]]] = {}
    for model in sorted(_models(), key=lambda one: (one.__module__, one.__name__)):
        found.setdefault(_home(model), {})[model.__name__] = model
    where = {name: home for home, models in found.items() for name in models}
    written = {f"{home}.py": _file(home, models, where) for home, models in found.items()}
    return {**written, "__init__.py": '"""Types of answers, as the service writes them."""\n'}


def _home(model: type[BaseModel]) -> str:
    """Of the file: that of the routes; what is not of the routes is shared."""
    module = model.__module__.rpartition(".")[2]
    return module if ".routes." in model.__module__ else f"of_{module}"


def _models() -> set[type[BaseModel]]:
    """Every model that an answer holds, pages left out."""
    seen: set[type[BaseModel]] = set()
    waiting = [
        route.response_model
        for _, router in routers()
        for route in router.routes
        if isinstance(route, APIRoute) and route.response_model is not None
    ]
    while waiting:
        for one in _inside(waiting.pop()):
            if one not in seen:
                seen.add(one)
                waiting += [field.annotation for field in one.model_fields.values()]
    return {one for one in seen if "[" not in one.__name__}


def _inside(annotation: Any) -> Iterator[type[BaseModel]]:
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        yield annotation
        return
    for one in typing.get_args(annotation):
        yield from _inside(one)


def _file(home: str, models: dict[str, type[BaseModel]], where: dict[str, str]) -> str:
    lines, needed = list[str](), dict[str, set[str]]()
    for name, model in models.items():
        schema = model.model_json_schema(mode="serialization", ref_template="{model}")
        says = (inspect.getdoc(model) or "").partition("\n")[0]
        lines += ["", "", f"class {name}(TypedDict):", f'    """{says}"""', ""]
        for field, said in schema.get("properties", {}).items():
            lines.append(f"    {field}: {_type(said, home, where, needed)}")
    imports = ["from typing import Any, Literal, TypedDict", ""]
    for other, names in sorted(needed.items()):
        imports.append(f"from diascope.client.answers.{other} import {', '.join(sorted(names))}")
    text = "\n".join(lines)
    used = [one for one in ("Any", "Literal", "TypedDict") if one in text]
    imports[0] = f"from typing import {', '.join(used)}"
    whole = "\n".join(imports).rstrip()
    return HEAD.format(what=home.replace("_", " ")) + f"from __future__ import annotations\n\n{whole}\n{text}\n"


def _type(said: dict[str, Any], home: str, where: dict[str, str], needed: dict[str, set[str]]) -> str:
    if "$ref" in said:
        name = str(said["$ref"])
        if name not in where:
            return "dict[str, Any]"
        if where[name] != home:
            needed.setdefault(where[name], set()).add(name)
        return name
    if "anyOf" in said:
        return " | ".join(dict.fromkeys(_type(one, home, where, needed) for one in said["anyOf"]))
    if "enum" in said or "const" in said:
        return f"Literal[{', '.join(repr(one) for one in said.get('enum', [said.get('const')]))}]".replace("'", '"')
    if said.get("type") == "array":
        return f"list[{_type(said.get('items', {}), home, where, needed)}]"
    if said.get("type") == "object":
        values = said.get("additionalProperties")
        return f"dict[str, {_type(values, home, where, needed) if isinstance(values, dict) else 'Any'}]"
    return PLAIN.get(str(said.get("type")), "Any")


def main() -> None:
    """Write the files."""
    for old in FOLDER.glob("*.py"):
        old.unlink()
    for name, content in files().items():
        (FOLDER / name).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
