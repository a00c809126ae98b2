"""Pickles of arrays and plain containers, compressed or not.

Nothing in them is called, see `unpickler`. Compression is joblib's and the user's
zlib, gzip, bzip2 and xz, up to a size limit.
"""

import bz2
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mimicgym.errors import MotionError
from mimicgym.motion.formats.arrays import MAX_BYTES
from mimicgym.motion.formats.pickled_arrays import STAND_INS
from mimicgym.motion.formats.unpickler import DAMAGE, Forbidden, PlainUnpickler
from mimicgym.motion.reader import Probe

_CHUNK = 2**20


def looks_pickled(head: bytes) -> bool:
    """Whether a file may be a pickle, compressed or not, by its first bytes."""
    return (head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05") or any(
        head.startswith(magic) for magic in _DECOMPRESSORS
    )


def pickled(probe: Probe) -> Any:
    """What a file holds if it is a pickle, else None; read once for all readers."""
    if not looks_pickled(probe.head):
        return None
    if "pickle" not in probe.kept:
        probe.kept["pickle"] = read_pickle(probe.path)
    return probe.kept["pickle"]


def read_pickle(path: Path) -> Any:
    """What a pickle file holds.

    Raises:
      MotionError: it is damaged, too large, or wants more than arrays and containers.
    """
    try:
        return _Unpickler(_plain_bytes(path)).load()
    except MotionError:
        raise
    except Forbidden as error:
        raise MotionError(
            f"{path}: the pickle asks for {error}; only NumPy arrays and plain "
            f"containers are read"
        ) from None
    except DAMAGE as error:
        raise MotionError(f"{path}: the pickle can not be read: {error}") from error


class _Unpickler(PlainUnpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in STAND_INS:
            raise Forbidden(f"{module}.{name}")
        return STAND_INS[module, name]


def _zlib() -> Any:
    return zlib.decompressobj()


def _gzip() -> Any:
    return zlib.decompressobj(31)


_DECOMPRESSORS: dict[bytes, Callable[[], Any]] = {
    b"\x1f\x8b": _gzip,
    b"BZh": bz2.BZ2Decompressor,
    b"\xfd7zXZ": lzma.LZMADecompressor,
    b"\x78\x01": _zlib,
    b"\x78\x5e": _zlib,
    b"\x78\x9c": _zlib,
    b"\x78\xda": _zlib,
}


def _plain_bytes(path: Path) -> bytes:
    """A file's bytes, decompressed; never more than the limit is held."""
    if path.stat().st_size > MAX_BYTES:
        raise MotionError(f"{path}: is larger than {MAX_BYTES / 2**20:.0f} MiB")
    data = path.read_bytes()
    make = next(
        (m for magic, m in _DECOMPRESSORS.items() if data.startswith(magic)), None
    )
    if make is None:
        return data
    engine, parts, size = make(), [], 0
    for start in range(0, len(data), _CHUNK):
        chunk: bytes = data[start : start + _CHUNK]
        while chunk and not engine.eof:
            part = engine.decompress(chunk, _CHUNK)
            size += len(part)
            if size > MAX_BYTES:
                raise MotionError(
                    f"{path}: unpacks to more than {MAX_BYTES / 2**20:.0f} MiB"
                )
            parts.append(part)
            # zlib keeps what it had no room for; the others ask for no more input.
            chunk = getattr(engine, "unconsumed_tail", b"")
            if not chunk and not getattr(engine, "needs_input", True):
                while not engine.eof and not engine.needs_input:
                    part = engine.decompress(b"", _CHUNK)
                    size += len(part)
                    if size > MAX_BYTES:
                        raise MotionError(
                            f"{path}: unpacks to more than {MAX_BYTES / 2**20:.0f} MiB"
                        )
                    parts.append(part)
    if not engine.eof:
        raise EOFError("the compressed data end too early")
    return b"".join(parts)
