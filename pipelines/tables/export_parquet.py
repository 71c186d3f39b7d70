"""A table as a Parquet file. Imports pyarrow, and nothing else here does."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

_TYPES = {
    "money": pa.decimal128(19, 4),
    "utc": pa.timestamp("us", tz="UTC"),
    "integer": pa.int64(),
}
"""Everything else is text, JSON too."""


class ParquetTable:
    """Written chunk by chunk, each a row group; readable by its owner alone."""

    def __init__(self, path: Path, kinds: Mapping[str, str]) -> None:
        self._schema = pa.schema([(name, _TYPES.get(kind, pa.string())) for name, kind in kinds.items()])
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        self._handle = os.fdopen(descriptor, "wb")
        self._writer = parquet.ParquetWriter(self._handle, self._schema)

    def write(self, rows: Sequence[Sequence[Any]]) -> None:
        columns = [
            pa.array(values, field.type)
            for values, field in zip(zip(*rows, strict=True), self._schema, strict=True)
        ]
        self._writer.write_batch(pa.record_batch(columns, schema=self._schema))

    def close(self) -> None:
        self._writer.close()
        self._handle.close()
