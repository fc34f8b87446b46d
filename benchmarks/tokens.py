"""A build of tokens beside the library `tokenizers` encoding the same texts in the same batches on the same cores.

    python benchmarks/tokens.py [--rows 100000] [--rounds 3] [--vocabulary 16000]

The mixtures are the starter catalogue, whose rows are short, and one of longer rows made of its texts; the tokenizer,
a byte-level BPE, is trained on those first. The library is given lists of texts, about a megabyte at a time, as a build
gives them, and what it makes of them is thrown away. A build draws and renders the rows, encodes them, finds the
labels, writes zstd Parquet, and syncs. The pieces of work take turns; each time is the least of some rounds.
"""

import argparse
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers
from turns import best

import flanmix as fm
from flanmix.tokenizing import Tokenizer, text_batches

END, USER, STOP = "<|endoftext|>", "<|im_start|>", "<|im_end|>"


def texts_of(plan: fm.Plan, folder: Path) -> pa.Array:
    """The texts of the rows as they are encoded without a chat template."""
    plan.build(folder, quiet=True)
    found = [pa.ipc.open_file(pa.memory_map(str(file))).read_all() for file in sorted(folder.glob("data/*.arrow"))]
    if not found:
        import pyarrow.parquet as pq

        found = [pq.read_table(file) for file in sorted(folder.glob("data/*.parquet"))]
    table = pa.concat_tables(found)
    sides = [table.column(name).cast(pa.large_string()).combine_chunks() for name in ("prompt", "completion")]
    return pc.binary_join_element_wise(*sides, pa.scalar(END, pa.large_string()), pa.scalar("", pa.large_string()))


def tokenizer_of(texts: pa.Array, vocabulary: int, folder: Path) -> Tokenizer:
    made = tokenizers.Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, initial_alphabet=alphabet, show_progress=False)
    made.train_from_iterator(texts.to_pylist(), trainer)
    made.add_special_tokens([END, USER, STOP])
    folder.mkdir()
    (folder / "tokenizer.json").write_text(made.to_str(), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": END}), encoding="utf-8")
    return Tokenizer.of_json(made.to_str())


def long_rows(texts: pa.Array, rows: int) -> fm.Plan:
    """A mixture of one task with three wordings over passages of six of the texts each."""
    said = [text.removesuffix(END) for text in texts.to_pylist()]
    passages = ["\n".join(said[start : start + 6]) for start in range(0, len(said) - 6, 6)]
    table = pa.table({"passage": passages, "number": pa.array(range(len(passages)))})
    asked = ("{{ passage }}\n\nWhich is it?", "Which is this?\n\n{{ passage }}", "Text: {{ passage }}\n\nIts number:")
    wordings = [fm.Template(f"w{n}", input=text, target="number {{ number }}") for n, text in enumerate(asked)]
    task = fm.Task("bench/passages", type="reading_comprehension", source=table, templates=wordings)
    catalogue = fm.load_registry(specs=[task], bundled=False, plugins=False)
    return fm.Mixture("long", parts=[fm.Part("*")], rows=rows).plan(catalogue)


def measure(plan: fm.Plan, folder: Path, tokenizer: Tokenizer, rounds: int) -> None:
    """Print how long each piece of work takes with the rows of a plan."""
    shutil.rmtree(folder / "texts", ignore_errors=True)
    texts = texts_of(plan, folder / "texts")
    batches = [texts[part].to_pylist() for part in text_batches(texts)]

    def library() -> None:
        for batch in batches:
            tokenizer.library.encode_batch(batch, add_special_tokens=False)

    def build(**told: Any) -> None:
        shutil.rmtree(folder / "out", ignore_errors=True)
        encoding = {"tokenizer": str(folder / "tokenizer"), **told} if told else {}
        plan.build(folder / "out", quiet=True, **encoding)

    work = {
        "the library alone": library,
        "layout prompt_completion": build,
        "layout tokens": lambda: build(layout="tokens"),
        "layout tokens, chatml": lambda: build(layout="tokens", chat_template="chatml"),
        "layout packed, 4096": lambda: build(layout="packed", max_length=4096),
    }
    seconds = dict(zip(work, best(list(work.values()), rounds), strict=True))
    tokens = int(tokenizer.lengths(texts).sum())
    size = f"{tokens / len(texts):.0f} a row, {texts.nbytes / 1e6:.0f} MB of text"
    print(f"{plan.name}: {len(texts):,} rows, {tokens:,} tokens, {size}")
    for name, took in seconds.items():
        ratio = took / seconds["the library alone"]
        print(f"{name:26} {took:7.2f} s {tokens / took / 1e6:7.2f} M tokens/s {ratio:6.2f} x the library alone")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--vocabulary", type=int, default=16_000)
    options = parser.parse_args()
    registry = fm.load_registry()
    plan = registry.mixture("starter").plan(registry, rows=options.rows)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        texts = texts_of(plan, folder / "texts")
        tokenizer = tokenizer_of(texts, options.vocabulary, folder / "tokenizer")
        measure(plan, folder, tokenizer, options.rounds)
        measure(long_rows(texts, options.rows // 5), folder, tokenizer, options.rounds)


if __name__ == "__main__":
    main()
