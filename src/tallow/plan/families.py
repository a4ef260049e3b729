"""Members of a family in a plan: which of them are computed together, and in which columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from tallow.core.operator import Asked, Family, Output, Values
from tallow.core.spec import Spec


@dataclass
class Group:
    """Members that one operation serves.

    Attributes
    ----------
    values
        Of the family's own indicator.
    members
        What is asked of each, by the text of its spec.
    columns
        The columns of the family's outputs that somebody needs, by output.
    hidden
        Those among them that are unpacked, and seen by nobody.
    """

    family: Family
    values: Values
    members: dict[str, Asked] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)
    hidden: tuple[str, ...] = ()

    def add(self, text: str, asked: Asked) -> bool:
        """Add a member, unless it cannot be computed with the others; say whether it was added."""
        values = self.family.parameters([*self.members.values(), asked])
        if values is None:
            return False
        self.values = values
        self.members[text] = asked
        return True


def group_members(
    specs: Mapping[str, Spec], columns: Mapping[str, Mapping[str, str]]
) -> list[Group]:
    """Return the members among specs in groups; `columns` are those wanted, by text and output."""
    groups: list[Group] = []
    for text, spec in specs.items():
        family = spec.indicator.family
        if family is None:
            continue
        asked = (spec.indicator, dict(spec.values), tuple(columns[text]))
        same = (each for each in groups if each.family is family)
        if not any(each.add(text, asked) for each in same):
            groups.append(Group(family, {}))
            is_added = groups[-1].add(text, asked)
            assert is_added
    for number, group in enumerate(groups):
        _name_columns(group, number, columns)
    return groups


def _name_columns(group: Group, number: int, columns: Mapping[str, Mapping[str, str]]) -> None:
    """Name the columns that are needed: as that of an output where it is all of it."""
    hidden = []
    for text, (indicator, _, _) in group.members.items():
        for output in wanted_outputs(indicator.outputs, columns[text]):
            assert output.packed is not None
            name, parameters = output.packed
            if not parameters:
                group.columns[name] = columns[text][output.name]
            elif name not in group.columns:
                group.columns[name] = f"{group.family.indicator.name} {number}[{name}]"
                hidden.append(group.columns[name])
    group.hidden = tuple(hidden)


def wanted_outputs(outputs: tuple[Output, ...], columns: Mapping[str, str]) -> list[Output]:
    """Return the outputs that have columns."""
    return [output for output in outputs if output.name in columns]
