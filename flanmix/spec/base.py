"""The base of all specs, and the kinds of values that their keys take."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from flanmix.complaints import complaints
from flanmix.errors import SpecError
from flanmix.origin import Origin

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass as _ModelMetaclass
else:
    _ModelMetaclass = type(BaseModel)

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*)*$"
SLUG_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
TITLE_PATTERN = r"^[^\n\p{C}]*[^\s\p{C}][^\n\p{C}]*$"

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN, max_length=200)]
"""Slash-separated slugs, so that it is a safe path under any root: `glue/rte`."""
Slug = Annotated[str, StringConstraints(pattern=SLUG_PATTERN, max_length=100)]
Title = Annotated[str, StringConstraints(pattern=TITLE_PATTERN, max_length=200)]
"""One line of printable text."""
Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=100)]
Text = Annotated[str, StringConstraints(min_length=1)]
Count = Annotated[int, Field(strict=True, ge=1, le=10**12)]
Seed = Annotated[int, Field(strict=True, ge=0, lt=2**63)]
Positive = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]


class _Told(_ModelMetaclass):
    """Lets specs be made by hand with `head` in front, and makes a `SpecError` of what pydantic finds wrong then.

    Pydantic itself calls no class, so what is wrong inside a spec is told with the whole of it.
    """

    def __call__(self, *head: Any, **data: Any) -> Any:
        model: Any = self
        if len(head) > (model.head is not None):
            raise TypeError(f"{self.__name__} takes {'its other values' if model.head else 'all values'} by name")
        if head and head[0] is not None:
            data[model.head] = head[0]
        try:
            return super().__call__(**data)
        except ValidationError as error:
            name = data.get(model.head, data.get("name", ""))
            origin = Origin(f"{self.__name__.lower()} {name if isinstance(name, str) else ''}".rstrip())
            raise SpecError(complaints(error, model, data, origin)) from None


class Spec(BaseModel, metaclass=_Told):
    """Base of all specs: frozen, and an unknown key is an error.

    The key named by `head` may be given first and without its name: `Task("glue/rte", type="nli", …)`. Raises
    `SpecError` with all that is wrong.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, arbitrary_types_allowed=True)
    head: ClassVar[str | None] = None

    if TYPE_CHECKING:

        def __init__(self, head: Any = None, /, **data: Any) -> None: ...

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """Only what differs from the defaults."""
        fields = type(self).model_fields
        return ((name, value) for name, value in super().__repr_args__() if fields[str(name)].default != value)
