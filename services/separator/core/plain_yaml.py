"""YAML of strangers: plain values only, and none that is written once and stands for many.

Aliases and merge keys can make a few hundred bytes into more values than any memory holds; no bag needs them.
"""

from typing import Any, ClassVar

import yaml

_DEEPEST = 8
"""Levels of lists and fields; a bag has three."""

_KINDS = (None, *(f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "null", "bool", "seq", "map")))
"""None stands for all others, and refuses them."""


def plain_yaml(document: bytes, *, takes_tuples: bool = False) -> Any:
    """The one value of a document; raises yaml.YAMLError, and ValueError for values that cannot be made.

    `takes_tuples`: lists that are marked as Python's tuples are taken, and become such.
    """
    loader = (_PlainLoaderOfTuples if takes_tuples else _PlainLoader)(document)
    try:
        return loader.get_single_data()
    except (LookupError, AttributeError, ArithmeticError, TypeError) as error:
        raise ValueError(f"one of its values cannot be made ({type(error).__name__}: {error})") from error
    finally:
        loader.dispose()


class _PlainLoader(yaml.SafeLoader):
    """Refuses aliases, merge keys and depth while it reads, before anything is made of them.

    Knows the kinds of values that JSON has; dates stay text, and any other kind is refused.
    """

    yaml_constructors: ClassVar[dict[Any, Any]] = {
        **{tag: yaml.SafeLoader.yaml_constructors[tag] for tag in _KINDS},
        "tag:yaml.org,2002:timestamp": yaml.SafeLoader.construct_yaml_str,
    }

    def __init__(self, document: bytes) -> None:
        super().__init__(document)
        self._depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Called for each value, from the outermost inwards."""
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not taken")
        if self._depth == _DEEPEST:
            raise yaml.YAMLError(f"more than {_DEEPEST} levels are not taken")
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Called for each mapping before it is made."""
        if any(key.tag == "tag:yaml.org,2002:merge" for key, _ in node.value):
            raise yaml.YAMLError("merge keys are not taken")
        super().flatten_mapping(node)


class _PlainLoaderOfTuples(_PlainLoader):
    """Takes the one mark of Python's own that published parameters have."""

    yaml_constructors: ClassVar[dict[Any, Any]] = {
        **_PlainLoader.yaml_constructors,
        "tag:yaml.org,2002:python/tuple": lambda loader, node: tuple(loader.construct_sequence(node, deep=True)),
    }
