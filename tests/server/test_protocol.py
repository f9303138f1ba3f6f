"""Records: what is encoded is read back, and what is damaged is refused."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.protocol import RecordError, encode_record, read_records

values = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
records = st.dictionaries(st.text().filter(lambda name: name != "bytes"), values, max_size=5)
streams = st.lists(st.tuples(records, st.none() | st.binary(max_size=200)), max_size=5)


class Trickle(io.RawIOBase):
    """A stream that returns fewer bytes than asked for, as sockets may."""

    def __init__(self, data, most):
        self._file = io.BytesIO(data)
        self._most = most

    def readline(self, limit=-1):
        return self._file.readline(limit)

    def read(self, count=-1):
        return self._file.read(min(count, self._most))


def encode(items):
    return b"".join(encode_record(record, payload) + (payload or b"") for record, payload in items)


@given(streams, st.integers(1, 50))
def test_records_survive_the_wire(items, most):
    read = list(read_records(Trickle(encode(items), most)))
    expected = [
        (record if payload is None else {**record, "bytes": len(payload)}, payload or b"")
        for record, payload in items
    ]
    assert read == expected


@given(streams.filter(bool), st.data())
def test_a_stream_that_is_cut_gives_a_prefix_and_then_an_error_or_the_end(items, data):
    whole = encode(items)
    cut = data.draw(st.integers(0, len(whole) - 1))
    read = []
    try:
        for item in read_records(io.BytesIO(whole[:cut])):
            read.append(item)
        ended_cleanly = True
    except RecordError:
        ended_cleanly = False
    assert read == list(read_records(io.BytesIO(whole)))[: len(read)]
    assert len(read) < len(items)
    boundaries = [len(encode(items[:count])) for count in range(len(items))]
    assert ended_cleanly == (cut in boundaries)


@given(st.binary(max_size=100))
def test_garbage_is_refused_or_read_but_never_crashes(data):
    try:
        for record, payload in read_records(io.BytesIO(data)):
            assert isinstance(record, dict)
            assert len(payload) == record.get("bytes", 0)
    except RecordError:
        pass


@pytest.mark.parametrize("length", [-1, 1.5, "3", True, None])
def test_a_length_that_is_none_is_refused(length):
    line = json.dumps({"bytes": length}).encode() + b"\n"
    with pytest.raises(RecordError):
        list(read_records(io.BytesIO(line)))
