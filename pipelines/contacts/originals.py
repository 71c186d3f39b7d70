"""Records as they stand in the source, many together and compressed: few of them are ever asked for. Pure."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.contacts.text_columns import Columns, records_in_json

_ROW = "row"


def pack(columns: Columns, rows: npt.NDArray[np.int64]) -> bytes:
    """The records of a chunk by their rows."""
    batch = pa.record_batch([pa.array(rows), *columns.values()], [_ROW, *columns])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as stream:
        stream.write_batch(batch)
    return bytes(sink.getvalue())


def unpack(packed: bytes) -> dict[int, str]:
    """Each record as JSON, by its row."""
    with pa.ipc.open_stream(packed) as stream:
        batch = stream.read_next_batch()
    rows, *cells = batch.columns
    columns = dict(zip(batch.schema.names[1:], cells, strict=True))
    return dict(zip(rows.to_pylist(), records_in_json(columns), strict=True))
