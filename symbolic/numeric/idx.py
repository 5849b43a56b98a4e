"""The IDX files of MNIST and Fashion-MNIST: pictures and labels, plain or gzipped; every field of the header is checked.

The format (LeCun, "The MNIST database"): two zero bytes, a byte for the type (0x08: unsigned bytes), a byte for the
number of dimensions, each dimension as four bytes with the largest first, then the numbers row by row.
"""

from __future__ import annotations

import gzip
import zlib
from dataclasses import replace
from math import prod
from pathlib import Path

import numpy

from ..errors import SpecError
from .data import Array, Data

BYTES = 0x08
MOST = 1 << 30  # bytes of one file, unpacked
PARTS = {"train": "train", "held out": "t10k"}


def read(path: Path, dimensions: int) -> Array:
    """The unsigned bytes of a file. Raises SpecError, with the file, for whatever is wrong with it."""
    where = str(path)
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as stream:
            raw: bytes = stream.read(MOST + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise SpecError("the file is not a whole gzip file", where=where, hint="download it again") from None
    except OSError as e:
        raise SpecError(f"the file cannot be read ({(e.strerror or str(e)).lower()})", where=where) from None
    if len(raw) > MOST:
        raise SpecError("the file is larger than 1 GB", where=where, hint="is it the right file?")
    if len(raw) < 4 or raw[:2] != b"\0\0":
        raise SpecError("this is no IDX file: it does not begin with two zero bytes", where=where, hint="a gzipped file ends in .gz" if raw[:2] == b"\x1f\x8b" else "")
    if raw[2] != BYTES:
        raise SpecError(f"the numbers are of type 0x{raw[2]:02x}, expected 0x08 (unsigned bytes)", where=where)
    if raw[3] != dimensions:
        raise SpecError(f"{raw[3]} dimensions, expected {dimensions}", where=where, hint="are pictures and labels mixed up?")
    start = 4 + 4 * dimensions
    if len(raw) < start:
        raise SpecError("the file ends inside its header", where=where, hint="download it again")
    shape = tuple(int.from_bytes(raw[k:k + 4], "big") for k in range(4, start, 4))
    if len(raw) - start != prod(shape):
        raise SpecError(f"{len(raw) - start:,} bytes of numbers, but the header says {' x '.join(map(str, shape))}", where=where, hint="download it again")
    return numpy.frombuffer(raw, numpy.uint8, offset=start).reshape(shape)


def _find(folder: Path, part: str, what: str, dimensions: int) -> Path | None:
    """The file of a part, by any of the names under which it is passed on."""
    names = (f"{part}-{what}{dot}idx{dimensions}-ubyte{end}" for dot in "-." for end in ("", ".gz"))
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _part(folder: Path, part: str, source: str) -> Data | None:
    files = _find(folder, part, "images", 3), _find(folder, part, "labels", 1)
    if files[0] is None and files[1] is None:
        return None
    if files[0] is None or files[1] is None:
        missing = f"{part}-images-idx3-ubyte" if files[0] is None else f"{part}-labels-idx1-ubyte"
        raise SpecError(f"the file {missing} (or .gz) is missing", where=str(folder))
    x, y = read(files[0], 3), read(files[1], 1)
    if len(x) != len(y):
        raise SpecError(f"{len(y):,} labels, but {len(x):,} pictures", where=str(files[1]))
    if not len(x):
        raise SpecError("the file holds no picture", where=str(files[0]))
    return Data(x.reshape(len(x), -1) / 255.0, y.astype(int), outputs=("class",), source=source)


def pictures(folder: Path, source: str = "pictures") -> Data | None:
    """Pictures as rows of numbers from 0 to 1, with the test pictures held out; None where the folder has no training files.

    Raises SpecError for files that are damaged or do not fit together.
    """
    train, test = (_part(folder, name, source) for name in PARTS.values())
    if train is None:
        return None
    if test is not None and test.features != train.features:
        raise SpecError(f"test pictures of {test.features} pixels, but training pictures of {train.features}", where=str(folder))
    return replace(train, held_out=test)
