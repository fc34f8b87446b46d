"""The closed lists of words that specs may use, and how numbers of things are written."""

from collections.abc import Mapping
from types import MappingProxyType

TASK_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "arithmetic": "arithmetic",
        "closed_book_qa": "closed-book question answering",
        "code": "programming",
        "commonsense": "commonsense reasoning",
        "coreference": "coreference resolution",
        "data_to_text": "data-to-text generation",
        "dates": "reasoning about dates",
        "dialogue": "dialogue",
        "grammar": "grammatical acceptability",
        "lexical": "lexical semantics",
        "logic": "logical reasoning",
        "math_word_problems": "math word problems",
        "multiple_choice": "multiple-choice question answering",
        "nli": "natural language inference",
        "paraphrase": "paraphrase identification",
        "reading_comprehension": "reading comprehension",
        "reasoning": "reasoning",
        "sentence_completion": "sentence completion",
        "sentiment": "sentiment analysis",
        "simplification": "text simplification",
        "sorting": "sorting",
        "string_manipulation": "string manipulation",
        "structure_to_text": "structure-to-text generation",
        "summarization": "summarization",
        "topic_classification": "topic classification",
        "toxicity": "toxicity detection",
        "translation": "translation",
        "units": "unit conversion",
        "word_sense": "word sense disambiguation",
    }
)
"""Task types with a name in the field, and that name in plain words. A family adds its own name to them."""


def natural_name(type_: str) -> str:
    """What a task type is called in plain words; a type of a family's own is its name.

    >>> natural_name("nli"), natural_name("stock_news")
    ('natural language inference', 'stock news')
    """
    return TASK_TYPES.get(type_, type_.replace("_", " "))


STYLES = ("inverted", "cot", "options")
"""Template tags that a mixture may give a share; the first of them that a template carries is its style."""

PLAIN = "plain"
"""The style of a template that carries none of `STYLES`."""

FEW_SHOT = "few_shot"
"""The style of rows that have exemplars before them, whatever their template's style."""


def style_name(style: str, *, shots: bool) -> str:
    """What a row's style is called.

    >>> style_name("options", shots=True), style_name("plain", shots=True), style_name("plain", shots=False)
    ('few_shot+options', 'few_shot', 'plain')
    """
    return "+".join([FEW_SHOT] * shots + [style] * (style != PLAIN or not shots))


ROW = "fm_row"
"""The column that says which row of its source a row is, from 0."""

TRAINERS = (
    "trl",
    "axolotl",
    "llama-factory",
    "open-instruct",
    "openrlhf",
    "oumi",
    "automodel",
    "llm-foundry",
    "litdata",
    "mds",
    "levanter",
)
"""What `flanmix export` writes for and `flanmix check --for` knows."""


TURN_FIELDS = ("prompt", "response", "system", "history")
"""The fields of every conversation: its last two turns, its system text and the pairs of turns before."""

TRAINED = "trained"
"""The column that says which turns of the assistant are trained, where the source of a conversation says so."""


def count_of(number: int, noun: str) -> str:
    """A number of things in words.

    >>> count_of(1, "shard"), count_of(2_000, "row")
    ('1 shard', '2,000 rows')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
