"""Folders that `datasets.load_from_disk` reads."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


def save_streams(streams: Sequence[Path], folder: Path, *, fingerprint: str) -> None:
    """Write the rows of Arrow streams, each a file, into a folder: what `Dataset.save_to_disk` writes.

    `fingerprint` is what the caches of `datasets` know the rows by.
    """
    import datasets  # heavy: only where such a folder is written

    parts = [datasets.Dataset.from_file(str(stream)) for stream in streams]
    whole = datasets.concatenate_datasets(parts)
    named = datasets.Dataset(whole.data, info=whole.info, split=whole.split, fingerprint=fingerprint)
    with _without_bars():
        named.save_to_disk(str(folder), num_shards=max(min(len(streams), len(named)), 1))


@contextmanager
def _without_bars() -> Iterator[None]:
    import datasets

    shown = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            datasets.enable_progress_bars()
