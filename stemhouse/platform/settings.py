"""Settings from the environment: read once, in `main`; wrong ones are told by the names of their variables."""

from typing import Literal, TypeGuard, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings
from pydantic_settings.exceptions import SettingsError

from stemhouse.errors import InvalidRequest

LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]

DATABASE_URL = r"^(sqlite:///|postgresql\+psycopg://).+"
"""The databases that services take."""

Settings = TypeVar("Settings", bound=BaseSettings)

_DELIMITER = "__"


def read_settings(kind: type[Settings]) -> Settings:
    """The settings as the environment has them; raises InvalidRequest that names each wrong or missing variable."""
    try:
        return kind()
    except ValidationError as error:
        # Without the values, which may be secrets.
        texts = [f"{name}: {fault['msg']}" for fault in error.errors() for name in _variables(kind, fault)]
        raise InvalidRequest("; ".join(texts)) from error
    except (
        SettingsError
    ) as error:  # its text names the field: that of a group, whose variable must be JSON if it is set
        names = [_variable(kind, name) for name in kind.model_fields if f'"{name}"' in str(error)]
        raise InvalidRequest(f"{', '.join(names)}: {error.__cause__}") from error


def _variables(kind: type[BaseSettings], fault: ErrorDetails) -> list[str]:
    """The variables that a fault is about; of a group that is missing as a whole, those that it cannot do without."""
    path = _DELIMITER.join(map(str, fault["loc"]))
    group = kind.model_fields[str(fault["loc"][0])].annotation
    if fault["type"] == "missing" and len(fault["loc"]) == 1 and _is_group(group):
        needed = [name for name, field in group.model_fields.items() if field.is_required()]
        return [_variable(kind, f"{path}{_DELIMITER}{name}") for name in needed]
    return [_variable(kind, path)]


def _is_group(annotation: object) -> TypeGuard[type[BaseModel]]:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _variable(kind: type[BaseSettings], path: str) -> str:
    return f"{kind.model_config.get('env_prefix', '')}{path}".upper()
