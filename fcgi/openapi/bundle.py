#!/usr/bin/python3
"""Joins the parts of each description into the one document that the handlers carry.

Usage: bundle.py FROM TO NAME...    writes TO/NAME.json from the parts in FROM/NAME/

FROM/NAME/document.json has what stands outside "paths" and "components", and lists the parts, in the order in which
their paths appear. A part has "paths" and "components" alone. An operation or a component that is defined twice is an
error, which names both files.
"""

import json
import pathlib
import sys

SECTIONS = ("paths", "components")


class Mistake(Exception):
    """What is wrong with the parts, in words for whoever edits them."""


def load(path):
    def unique(pairs):
        members = dict(pairs)
        if len(members) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise Mistake(f'{path}: "{twice}" is there twice in one object')
        return members

    try:
        return json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=unique)
    except ValueError as error:
        raise Mistake(f"{path}: {error}") from error


def bundle(folder):
    """The document of the parts in `folder`."""
    first = folder / "document.json"
    document = load(first)
    parts = [folder / name for name in document.pop("parts")]
    present = {path for path in folder.glob("*.json") if path != first}
    for path in parts:
        if path not in present or parts.count(path) > 1:
            raise Mistake(f"{first}: the part {path.name} is listed twice or is not there")
    for path in sorted(present - set(parts)):
        raise Mistake(f"{first}: the part {path.name} is not listed")

    contents = {path: load(path) for path in parts}
    for path, content in contents.items():
        for key in content:
            if key not in SECTIONS:
                raise Mistake(f'{path}: "{key}" belongs to {first.name}')
    own = {section: document.pop(section, {}) for section in SECTIONS}
    contents = {first: own, **contents}

    defined_in = {}
    for section in SECTIONS:
        merged = document[section] = {}
        for path, content in contents.items():
            # The groups are paths, of operations by method; or kinds of components, by name.
            for group, members in content.get(section, {}).items():
                for name, value in members.items():
                    other = defined_in.setdefault((section, group, name), path)
                    if other != path:
                        raise Mistake(f"{group} {name} is defined in both {other} and {path}")
                    merged.setdefault(group, {})[name] = value
    return document


def main(source, target, *names):
    target = pathlib.Path(target)
    target.mkdir(parents=True, exist_ok=True)
    for name in names:
        # The text is ASCII, so that embed.cmake may cut it anywhere.
        text = json.dumps(bundle(pathlib.Path(source) / name), indent=1)
        (target / f"{name}.json").write_text(text + "\n", encoding="ascii")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except Mistake as mistake:
        sys.exit(f"bundle.py: {mistake}")
