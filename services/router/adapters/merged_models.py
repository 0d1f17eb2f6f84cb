"""What several separators say of their models, as one list."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from stemhouse.models import Model, ModelState

_WORST_FIRST = (ModelState.DAMAGED, ModelState.AVAILABLE, ModelState.INSTALLED)


def merged(listed: Mapping[str, Sequence[Model]]) -> list[Model]:
    """Each model once, in the worst of its states; a problem names its separator where there are several.

    `listed` has what each separator says, by its address. A model that another one has installed, and it has not, is
    not installed there, whether it lists it or not.
    """
    models = {model.name: model for each in listed.values() for model in each}
    return [_worst([_seen_at(address, model, listed) for address in listed]) for model in models.values()]


def is_there(model: Model) -> bool:
    """Whether the separator that says so has it, in whatever condition."""
    return model.state is not ModelState.AVAILABLE


def _worst(models: Sequence[Model]) -> Model:
    return min(models, key=lambda model: _WORST_FIRST.index(model.state))


def _seen_at(address: str, model: Model, listed: Mapping[str, Sequence[Model]]) -> Model:
    absent = replace(model, state=ModelState.AVAILABLE, problem="")
    seen = next((one for one in listed[address] if one.name == model.name), absent)
    is_elsewhere = any(one.name == model.name and is_there(one) for each in listed.values() for one in each)
    problem = "not installed" if is_elsewhere and not is_there(seen) else seen.problem
    return replace(seen, problem=f"{address}: {problem}") if problem and len(listed) > 1 else seen
