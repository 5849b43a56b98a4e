"""What passes between the parent and the child: frames in a pipe, and bundles of JSON and arrays. Read with distrust.

A frame is one letter, the length of its content (8 bytes), a digest under a key (16 bytes), and the content. A bundle is the length of a JSON text (8 bytes),
the text, and an npz file whose members ``0.npy``, ``1.npy``, ... belong to the names in ``text["arrays"]``. Nothing is ever unpickled, and
no array is made before its size is known to fit into what was received.

>>> import numpy as np
>>> text, arrays = unpacked(packed({"steps": []}, {"X": np.eye(2)}), most=10_000)
>>> text["steps"], arrays["X"].tolist()
([], [[1.0, 0.0], [0.0, 1.0]])
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import math
import struct
import zipfile
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.lib import format as npy

LAYERS, STEP, RESULT = b"L", b"S", b"R"
HEAD = struct.Struct("<cQ16s")
_LENGTH = struct.Struct("<Q")
KINDS, LARGEST_ITEM, MOST_AXES = "biufc", 16, 8
LONGEST_NAME = 300


class Garbled(ValueError):
    """What was received is no frame or bundle of ours."""


def digest(kind: bytes, content: bytes, key: bytes) -> bytes:
    """16 bytes that only who knows the key can make."""
    return hashlib.blake2b(content, digest_size=16, key=key, person=kind).digest()


def framed(kind: bytes, content: bytes, key: bytes) -> bytes:
    """One frame."""
    return HEAD.pack(kind, len(content), digest(kind, content, key)) + content


def frames(received: bytes, key: bytes) -> list[tuple[bytes, bytes]]:
    """The letter and content of every whole frame; stops at the first one that is cut off or not ours."""
    found, at = [], 0
    while at + HEAD.size <= len(received):
        kind, length, mark = HEAD.unpack_from(received, at)
        content = received[at + HEAD.size:at + HEAD.size + length]
        if len(content) < length or not hmac.compare_digest(mark, digest(kind, content, key)):
            break
        found.append((kind, content))
        at += HEAD.size + length
    return found


def packed(text: Mapping[str, object], arrays: Mapping[str, np.ndarray]) -> bytes:
    """A bundle."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for k, array in enumerate(arrays.values()):
            member = io.BytesIO()
            # C order whatever the array's own; "<" so that both sides read the same bytes.
            npy.write_array(member, np.array(array, dtype=array.dtype.newbyteorder("<"), order="C", subok=False), version=(1, 0), allow_pickle=False)
            archive.writestr(f"{k}.npy", member.getvalue())
    words = json.dumps({**text, "arrays": list(arrays)}).encode()
    return _LENGTH.pack(len(words)) + words + out.getvalue()


def unpacked(bundle: bytes, most: int) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The JSON text and the arrays of a bundle.

    Args:
        most: bytes that all arrays together may have.

    Raises:
        Garbled: it is no bundle, or holds what is not plain numbers.
    """
    if len(bundle) < _LENGTH.size:
        raise Garbled("it is cut off")
    length = _LENGTH.unpack_from(bundle)[0]
    try:
        text = json.loads(bundle[_LENGTH.size:_LENGTH.size + length])
        names = text["arrays"]
        if not (isinstance(names, list) and all(isinstance(n, str) and len(n) <= LONGEST_NAME for n in names) and len(set(names)) == len(names)):
            raise Garbled("its names are no names")
        with zipfile.ZipFile(io.BytesIO(bundle[_LENGTH.size + length:])) as archive:
            return text, _members(archive, names, most)
    except Garbled:
        raise
    except Exception as e:  # noqa: BLE001 - bytes that were made to break readers: whatever a reader says, it is no bundle
        raise Garbled(f"it cannot be read: {type(e).__name__}") from None


def _members(archive: zipfile.ZipFile, names: list[str], most: int) -> dict[str, np.ndarray]:
    infos = archive.infolist()
    if [i.filename for i in infos] != [f"{k}.npy" for k in range(len(names))]:
        raise Garbled("its members are not those it names")
    # Stored, never compressed: so no member is larger than what was received.
    if any(i.compress_type != zipfile.ZIP_STORED or i.file_size != i.compress_size for i in infos) or sum(i.file_size for i in infos) > most:
        raise Garbled("its members are compressed or too large")
    return {name: _array(archive.read(info)) for name, info in zip(names, infos, strict=True)}


@lru_cache(maxsize=1024)
def _header(head: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    stream = io.BytesIO(head)
    if npy.read_magic(stream) != (1, 0):
        raise Garbled("it holds an array of an unknown version")
    return npy.read_array_header_1_0(stream)  # type: ignore[no-any-return]


def _array(member: bytes) -> np.ndarray:
    at = 10 + int.from_bytes(member[8:10], "little")  # magic, version and length stand before the header
    shape, fortran, dtype = _header(member[:at])
    content = member[at:]
    if dtype.kind not in KINDS or dtype.itemsize > LARGEST_ITEM or dtype.hasobject or fortran:
        raise Garbled(f"it holds {dtype}, not plain numbers")
    if len(shape) > MOST_AXES or any(n < 0 for n in shape) or math.prod(shape) * dtype.itemsize != len(content):
        raise Garbled("an array's size and its content differ")
    return np.frombuffer(content, dtype=dtype).reshape(shape).copy()
