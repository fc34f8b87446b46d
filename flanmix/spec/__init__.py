"""What people write down, as frozen values: tasks, families, mixtures."""

from flanmix.spec.axes import Options, OptionStyle, ShotFormat, ShotRange, Shots, shares_of
from flanmix.spec.base import NAME_PATTERN, SLUG_PATTERN, Spec, Title
from flanmix.spec.conversations import (
    Conversation,
    ConversationColumns,
    InstructionColumns,
    MessageColumn,
    PromptColumns,
)
from flanmix.spec.encoding import EncodingKeys
from flanmix.spec.mixtures import Bounds, Budget, Limits, Mixture, Part, Preset, Stage, TurnTags
from flanmix.spec.prompts import Prompt, SystemPrompts, Turn, TypeTag
from flanmix.spec.sources import FileSource, GeneratorSource, HubSource, Source, TableSource
from flanmix.spec.tasks import Dialect, Family, Task, Template, TemplateMetadata, TemplateUse

__all__ = [
    "NAME_PATTERN",
    "SLUG_PATTERN",
    "Bounds",
    "Budget",
    "Conversation",
    "ConversationColumns",
    "Dialect",
    "EncodingKeys",
    "Family",
    "FileSource",
    "GeneratorSource",
    "HubSource",
    "InstructionColumns",
    "Limits",
    "MessageColumn",
    "Mixture",
    "OptionStyle",
    "Options",
    "Part",
    "Preset",
    "Prompt",
    "PromptColumns",
    "ShotFormat",
    "ShotRange",
    "Shots",
    "Source",
    "Spec",
    "Stage",
    "SystemPrompts",
    "TableSource",
    "Task",
    "Template",
    "TemplateMetadata",
    "TemplateUse",
    "Title",
    "Turn",
    "TurnTags",
    "TypeTag",
    "shares_of",
]
