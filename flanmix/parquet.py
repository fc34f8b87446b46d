"""Parquet files as builds and exports write them."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from flanmix.layouts import METADATA, repetitive_of

_COMPARED = [field.name for field in METADATA if not pa.types.is_list(field.type)]
"""Metadata columns of which each row group tells the least and the greatest value, so that readers can pass it over."""


def parquet_writer(place: Path | pa.NativeFile, schema: pa.Schema, layout: str) -> pq.ParquetWriter:
    """A writer of rows in a layout, with all the metadata columns or none: zstd, checksums, what repeats kept once."""
    metadata = METADATA.names[0] in schema.names
    return pq.ParquetWriter(
        str(place) if isinstance(place, Path) else place,
        schema,
        compression="zstd",
        use_dictionary=repetitive_of(layout, metadata=metadata) or False,
        write_page_checksum=True,
        write_statistics=_COMPARED if metadata and layout != "packed" else False,
    )
