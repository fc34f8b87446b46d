"""The closed lists of words that specs may use, and how numbers of things are written."""

TASK_TYPES = frozenset(
    {
        "arithmetic",
        "closed_book_qa",
        "code",
        "commonsense",
        "coreference",
        "data_to_text",
        "dates",
        "dialogue",
        "grammar",
        "lexical",
        "logic",
        "math_word_problems",
        "multiple_choice",
        "nli",
        "paraphrase",
        "reading_comprehension",
        "reasoning",
        "sentence_completion",
        "sentiment",
        "simplification",
        "sorting",
        "string_manipulation",
        "structure_to_text",
        "summarization",
        "topic_classification",
        "toxicity",
        "translation",
        "units",
        "word_sense",
    }
)
"""Task types with a name in the field. A family adds its own name to them."""

STYLES = ("inverted", "cot", "options")
"""Template tags that a mixture may give a share; the first of them that a template carries is its style."""

PLAIN = "plain"
"""The style of a template that carries none of `STYLES`."""

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


def count_of(number: int, noun: str) -> str:
    """A number of things in words.

    >>> count_of(1, "shard"), count_of(2_000, "row")
    ('1 shard', '2,000 rows')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
