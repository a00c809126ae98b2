"""Feed damaged motion files to the readers and see that every fault is told by name.

Each case is a damaged copy of one of the files given: bytes lost, changed or moved; or
the content taken apart, changed (keys lost, shapes, kinds and values that can not be)
and put together again. It is loaded with warnings as errors. A load has to end in a
clip or in one of our own errors that names the file. Any other exception, a load that
takes more than `--seconds` of the processor, and a crash of the interpreter are faults;
the first file of each kind of fault is kept in `--out` with its traceback.

Files of people's motions (`.bvh`, `.npz` with poses) go to the readers of retargeting.
Needs the extra `h5` for HDF5 files and joblib for pickles.

    python tools/fuzz_readers.py clips/*.npz clips/*.csv --minutes 10 --seed 1
    python tools/fuzz_readers.py clips/*.npz clips/*.csv --seed 1 --first 1234 --cases 1

The second line runs one case of the first again. Exit status: 1 if there was a fault.
"""

import argparse
import bz2
import contextlib
import copy
import gzip
import io
import json
import lzma
import multiprocessing
import os
import pickle
import pickletools
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import joblib
import numpy as np
from numpy.random import Generator

from mimicgym.errors import UserError
from mimicgym.motion import load_motion
from mimicgym.motion.formats import protomotions
from mimicgym.motion.formats.pickles import read_pickle
from mimicgym.motion.load import clip_specs
from mimicgym.motion.reader import probe
from mimicgym.retarget.body import find_body
from mimicgym.retarget.bvh import read_bvh
from mimicgym.retarget.smpl import read_smpl

Tree = dict[Any, Any]  # values by name, with more of them in groups
_HANG_S = 120.0  # of the clock; after that a load that nothing ends is killed
_UNWRITABLE = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError,
               MemoryError, OSError, RuntimeError, pickle.PickleError)  # fmt: skip


class TooSlow(BaseException):
    """Raised by the alarm; no reader may take it for damage."""


def pick(rng: Generator, choices: Any) -> Any:
    return choices[int(rng.integers(len(choices)))]


# Bytes -------------------------------------------------------------------------------

_BYTES = (
    lambda rng, data, at, size: data[:at],
    lambda rng, data, at, size: data[:at] + rng.bytes(size) + data[at:],
    lambda rng, data, at, size: data[:at] + rng.bytes(size) + data[at + size :],
    lambda rng, data, at, size: data[:at] + bytes(size) + data[at + size :],
    lambda rng, data, at, size: data[:at] + data[at + size :],
    lambda rng, data, at, size: (
        data[:at] + data[at + size : at + 2 * size] + data[at : at + size]
        + data[at + 2 * size :]
    ),
    lambda rng, data, at, size: (
        data[:at] + bytes([data[at] ^ 1 << int(rng.integers(8))]) + data[at + 1 :]
    ),
    lambda rng, data, at, size: (
        data[:at] + pick(rng, (b"\0", b"\x01", b"\x7f", b"\x80", b"\xff"))
        + data[at + 1 :]
    ),
)  # fmt: skip
_NPY = (b"<f8", b"|O", b"|a8", b"1f8", b"<U9", b"<M8[s]", b"False", b"True", b"(",
        b"(9,", b"(-1, ", b"(99999999999, ", b"L,", b"'", b"\\d")  # fmt: skip
_OPCODES = (b"N", b"]", b"}", b")", b"K\0", b"J\xff\xff\xff\xff", b"X\x01\0\0\0a",
            b"G\x7f\xf8\0\0\0\0\0\0", b"0", b"2", b"(", b"t", b"R", b"b", b"h\0",
            b"\x8a\x09\0\0\0\0\0\0\0\0\x7f", b"\x85", b"\x86", b"a", b"s", b"C\x01a",
            b"\x8f", b"\x90", b"\x91", b"Q", b"\x81", b"\x93", b".")  # fmt: skip
_PACK = (zlib.compress, gzip.compress, bz2.compress, lzma.compress, bytes, bytes)
_UNPACK = {b"\x1f\x8b": gzip.decompress, b"BZh": bz2.decompress,
           b"\xfd7z": lzma.decompress, b"\x78": zlib.decompress}  # fmt: skip
_METHODS = (*[zipfile.ZIP_STORED] * 4, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2,
            zipfile.ZIP_LZMA)  # fmt: skip


def damage_bytes(rng: Generator, data: bytes) -> bytes:
    for _ in range(int(rng.integers(1, 4))):
        if data:
            # Heads and ends of files say what the rest means.
            ends = (0, min(200, len(data))), (max(0, len(data) - 200), len(data))
            at = int(rng.integers(*pick(rng, (*ends, (0, len(data))))))
            data = pick(rng, _BYTES)(rng, data, at, int(2 ** rng.uniform(0, 10)))
    return data


def damage_pickle(rng: Generator, data: bytes) -> bytes:
    """Whole opcodes lost, changed, repeated or swapped, so that more is still read."""
    at: list[int] = []
    # joblib's arrays lie between the opcodes; those before are enough.
    with contextlib.suppress(Exception):
        at.extend(place or 0 for _, _, place in pickletools.genops(data))
    if len(at) < 3:
        return damage_bytes(rng, data)
    ops = [data[a:b] for a, b in zip(at, [*at[1:], len(data)], strict=True)]
    for _ in range(int(rng.integers(1, 4))):
        i, j = (int(n) for n in rng.integers(1, len(ops), 2))
        new = (b"", ops[j], ops[i] + pick(rng, _OPCODES), pick(rng, _OPCODES),
               damage_bytes(rng, ops[i]))  # fmt: skip
        ops[i], ops[j] = pick(rng, (*((n, ops[j]) for n in new), (ops[j], ops[i])))
    if rng.random() < 0.02:  # nested deeper than any interpreter goes
        ops[1:1] = [b"]" * 3000 + b"a" * 2999 + b"0"]
    return b"".join(ops)


def damage_npy(rng: Generator, data: bytes) -> bytes:
    old, new = pick(rng, _NPY), pick(rng, _NPY)
    if rng.random() < 0.5 or old not in data[:128]:
        return damage_bytes(rng, data)
    head, _, rest = data.partition(b"\n")
    same = head.replace(old, new, 1).rstrip()[: len(head)].ljust(len(head))
    return same + b"\n" + rest


def damage_inside(rng: Generator, data: bytes) -> bytes:
    """Damage under a checksum: in a member of an archive, or in a packed pickle."""
    if not zipfile.is_zipfile(io.BytesIO(data)):
        unpack = next(
            (u for magic, u in _UNPACK.items() if data.startswith(magic)), bytes
        )
        return pick(rng, _PACK)(damage_pickle(rng, unpack(data)))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    damage = {".npy": damage_npy, ".pkl": damage_pickle}
    for name in [name for name in members if rng.random() < 1.5 / len(members)]:
        members[name] = damage.get(name[-4:], damage_bytes)(rng, members[name])
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", pick(rng, _METHODS)) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    data = out.getvalue()
    return damage_bytes(rng, data) if rng.random() < 0.1 else data


# Text --------------------------------------------------------------------------------

_CELLS = ("", "nan", "inf", "-1e999", "1e30", "0", "1_0", "0x10", "a", "1+2j", "None",
          '"1"', "\u0661", "1;2", "1\t2", "\0", "9" * 5000, "\ufeff", "#", "True",
          "1e-400", "{", "}", "End", "JOINT", "-1", "3.5", "1e18")  # fmt: skip
_LINE_ENDS = (",", " ", "\v", "\u2028", "\x1c", "\r", "\0", ",,,", "#", "\ud800")
_ENCODINGS = ("utf-8", "utf-8", "utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16")


def damage_text(rng: Generator, text: str) -> bytes:
    """Cells and lines of a table or a BVH file changed, lost, moved or repeated."""
    comma = "," if "," in text[:2000] else None
    lines = text.splitlines()
    for _ in range(pick(rng, (1, 1, 2, 5))):
        # The hierarchy of a BVH file is in its first lines.
        i, j = (
            int(n)
            for n in rng.integers(pick(rng, (len(lines), 40)), size=2) % len(lines)
        )
        cells = lines[i].split(comma) or [""]
        k = int(rng.integers(len(cells)))
        row, word = (comma or " ").join, pick(rng, _CELLS)
        line = pick(rng, (
            row([*cells[:k], word, *cells[k + 1 :]]),
            row([*cells[:k], word, *cells[k + 1 :]]),
            row([*cells[:k], word, *cells[k:]]),
            row(cells[:k] + cells[k + 1 :]),
            lines[i] + pick(rng, _LINE_ENDS),
            lines[j],
            "",
        ))  # fmt: skip
        new = (lines[:i] + lines[i + 1 :], lines[:i] + lines[j:], lines[: i + 1],
               [*lines[:i], lines[j], *lines[i:]])  # fmt: skip
        lines = pick(rng, (*[[*lines[:i], line, *lines[i + 1 :]]] * 5, *new)) or [""]
        if comma and rng.random() < 0.1:  # a whole column
            rows = (line.split(",") for line in lines)
            lines = [row([*r[:k], word, *r[k + 1 :]]) for r in rows]
    if comma and rng.random() < 0.03:
        lines = [line.replace(",", pick(rng, ";\t |")) for line in lines]
    text = pick(rng, ("", "", "\ufeff", "\n\n", "# a\n"))
    text += pick(rng, ("\n", "\n", "\r\n", "\r")).join(lines)
    return text.encode(pick(rng, _ENCODINGS), errors="replace")


# Values ------------------------------------------------------------------------------


def _nested(times: int, wrap: Any, value: Any = 1.0) -> Any:
    for _ in range(times):
        value = wrap(value)
    return value


_OWN: list[Any] = [1.0]
_OWN += [_OWN, _OWN]
# Small in the file and without end when they are walked.
_ENDLESS = (_nested(40, lambda v: [v, v]), _nested(40, lambda v: (v, v)), _OWN)
_NUMBERS = (0, 1, -1, 30, 0.0, -30.0, 1e-300, 5e-324, 1e300, 1e308, 2**63, 10**30,
            float("nan"), float("inf"), -float("inf"), True, 3.7)  # fmt: skip
_NONSENSE = (
    *_NUMBERS, *(np.array([n, n]) for n in _NUMBERS), *_ENDLESS,
    None, "text", "30", "\ud800", b"\xff\xfe", 1 + 2j, {}, [], (), {1, 2},
    {"fps": 30, (1, (2,)): 3}, [[1.0], [1.0, 2.0]], [1.0, "a", None],
    [np.zeros(3), np.zeros((2, 2))], [np.void(b"ab"), 1.0], [10**400, 1.0],
    ["left_knee_joint", b"\xff", 3], _nested(60, lambda v: [v]),
    _nested(60, lambda v: (v,)), _nested(60, lambda v: {"a": v}), np.zeros(0),
    np.zeros((0, 36)), np.zeros((1, 36)), np.zeros((10**6, 0)), np.zeros((3,) * 9),
    np.array(None), np.array([{}, []], dtype=object), np.array([1, 2], dtype="m8[s]"),
    np.array("2020-01-01", dtype="M8[s]"), np.array(["a" * 10**5, "b"]),
    np.zeros(3, dtype=[("a", "f4"), ("b", "S2")]), np.array([b"\xff"] * 29),
    np.array(["left_knee_joint"] * 29), np.array([1e300, np.nan], "f16") ** 10,
)  # fmt: skip
_KINDS = ("f2", "f4", ">f8", "f16", "i1", "u8", ">i4", "?", "c16", "U", "S", "O",
          "M8[s]", "V8")  # fmt: skip
_WRONG = (np.nan, np.inf, 0.0, 1e9, 1e30, 1e200, -1e308, 5e-324)
_TEXTS = ("no_such_joint", "", "\0", "\ud800", "a" * 1000, b"\xff", 3, None, ["a"])
_NAMES = ("fps", "contacts", "persons", "joint_names", "dof_vel", "xpos")


def _with(array: np.ndarray, place: Any, value: Any) -> np.ndarray:
    array[place] = value
    return array


_ARRAYS = (
    lambda rng, a, i: a.astype(pick(rng, _KINDS)),
    lambda rng, a, i: a[: int(rng.integers(5))],
    lambda rng, a, i: a[..., :-1],
    lambda rng, a, i: np.concatenate([a, a[..., :1]], axis=-1),
    lambda rng, a, i: pick(rng, (a.T, a.ravel(), a[None])),
    lambda rng, a, i: _with(a, i, pick(rng, _WRONG)),
    lambda rng, a, i: _with(a, np.s_[i:], a[i]),
    lambda rng, a, i: _with(a, (..., i % a.shape[-1]), pick(rng, _WRONG)),
    lambda rng, a, i: a * pick(rng, (0.0, 1.5, 100.0, 1e30, 1e300, np.nan)),
    lambda rng, a, i: a[..., rng.permutation(a.shape[-1])],
    lambda rng, a, i: a.tolist(),
    lambda rng, a, i: np.asfortranarray(a)[::-1],
)


def _endless(value: Any) -> bool:
    return isinstance(value, list | tuple) and any(value is own for own in _ENDLESS)


def damage_value(rng: Generator, value: Any) -> Any:
    """Something else in the place of one value, alike or not."""
    nonsense = pick(rng, _NONSENSE)
    if _endless(value) or rng.random() < 0.3:
        return nonsense if _endless(nonsense) else copy.deepcopy(nonsense)
    try:
        array = np.array(value)
        row = int(rng.integers(len(array)))
        if array.dtype.kind in "biuf":
            return pick(rng, _ARRAYS)(rng, array, row)
        texts = array.reshape(-1).tolist()
        texts[row : row + 1] = pick(rng, (*([text] for text in _TEXTS), [], texts[:2]))
        return texts
    except (ValueError, TypeError, LookupError, ArithmeticError):
        return nonsense  # the change does not go with this value


def damage_tree(rng: Generator, tree: Tree) -> Tree:
    """A copy of the tree with a few of its values changed, lost or moved."""
    tree = _copied(tree)
    for _ in range(pick(rng, (1, 1, 1, 2, 4))):
        at = tree
        while inner := [v for v in at.values() if isinstance(v, dict) and v]:
            if rng.random() < 0.3:
                break
            at = pick(rng, inner)
        if not at:
            break
        key, other = pick(rng, list(at)), pick(rng, list(at))
        change = int(rng.integers(10))
        if change == 0:
            del at[key]
        elif change == 1:
            at[f"{key}_"] = at.pop(key)
        elif change == 2:
            at[key] = at[other]
        else:
            name = pick(rng, _NAMES) if change == 3 else key
            at[name] = damage_value(rng, at.get(name))
    return tree


def _copied(tree: Any) -> Any:
    if isinstance(tree, Mapping):
        return {key: _copied(value) for key, value in tree.items()}
    return tree


# Files taken apart and put together --------------------------------------------------


def read_tree(path: Path) -> Tree | None:
    """The values of a file by name, or None if it is no file of named values."""
    head = path.read_bytes()[:8]
    if head.startswith(b"\x89HDF"):
        with h5py.File(path) as file:
            return _group(file)
    if head.startswith(b"PK"):
        found = probe(path)
        if protomotions.READER.accepts(found):
            return protomotions.read_fields(found)
        with np.load(path) as file:
            return dict(file)
    if head.startswith((b"\x80", *_UNPACK)):
        value = read_pickle(path)
        return value if isinstance(value, dict) else None
    return None


def _group(group: Any) -> Tree:
    values: Tree = {k.removeprefix("/"): v for k, v in group.attrs.items()}
    for name, item in group.items():
        values[name] = _group(item) if isinstance(item, h5py.Group) else item[()]
    return values


def write_npz(rng: Generator, tree: Tree) -> bytes:
    out = io.BytesIO()
    values = {str(k): None if _endless(v) else v for k, v in tree.items()}
    pick(rng, (np.savez, np.savez, np.savez_compressed))(out, **values)
    return out.getvalue()


def write_pickle(rng: Generator, tree: Tree) -> bytes:
    protocol = int(rng.integers(2, 6))
    if rng.random() < 0.6:
        return pick(rng, _PACK)(pickle.dumps(tree, protocol=protocol))
    out = io.BytesIO()
    joblib.dump(tree, out, protocol=protocol, compress=int(rng.integers(2)))
    return out.getvalue()


def write_hdf5(rng: Generator, tree: Tree) -> bytes:
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        _put(rng, file, tree)
        if rng.random() < 0.1:
            group = file.require_group("persons")
            for name in ("a", "b"):
                group[name] = pick(rng, (group, file, h5py.SoftLink("/none")))
    return out.getvalue()


def _put(rng: Generator, group: Any, values: Tree) -> None:
    for key, value in values.items():
        if isinstance(value, dict):
            _put(rng, group.require_group(str(key)), value)
        elif not _endless(value):
            with contextlib.suppress(*_UNWRITABLE):  # HDF5 has no such thing
                small = np.size(value) < 100 and rng.random() < 0.7
                (group.attrs if small else group)[str(key)] = value


_STORAGES = {"f4": "Float", "f8": "Double", "i8": "Long", "i4": "Int", "b1": "Bool",
             "u1": "Byte", "f2": "Half", "i2": "Short", "i1": "Char"}  # fmt: skip


def write_motion(rng: Generator, tree: Tree) -> bytes:
    """As torch.save writes it, with the opcodes put together by hand."""
    storages: list[bytes] = []

    def plain(value: Any) -> bytes:
        return pickle.dumps(value, protocol=2)[2:-1]

    def tensor(value: np.ndarray) -> bytes:
        kind = _STORAGES.get(value.dtype.str[1:], "Float").encode()
        storages.append(np.ascontiguousarray(value).tobytes())
        size = value.shape
        stride = tuple(n // value.itemsize for n in np.empty(size, value.dtype).strides)
        if rng.random() < 0.05:
            new = tuple(pick(rng, (-1, 0, 1, 7, 2**40)) for _ in size)
            size, stride = pick(rng, ((new, stride), (size, new)))
        return (
            b"ctorch._utils\n_rebuild_tensor_v2\n((" + plain("storage") + b"ctorch\n"
            + kind + b"Storage\n" + plain(str(len(storages) - 1)) + plain("cpu")
            + plain(value.size) + b"tQK\0" + plain(size) + plain(stride)
            + b"\x89ccollections\nOrderedDict\n)RtR"
        )  # fmt: skip

    body = b"\x80\x02}("
    for key, value in tree.items():
        array = isinstance(value, np.ndarray) and value.dtype.kind in "fiub"
        body += plain(key) + (tensor(value) if array else plain(value))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("m/data.pkl", body + b"u.")
        for i, data in enumerate(storages):
            archive.writestr(f"m/data/{i}", data)
    return out.getvalue()


_WRITERS = {".npz": write_npz, ".pkl": write_pickle, ".h5": write_hdf5,
            ".motion": write_motion}  # fmt: skip


def make_case(rng: Generator, path: Path, tree: Tree | None) -> tuple[bytes, str]:
    """A damaged copy of one file, and the suffix of its format."""
    data, suffix = path.read_bytes(), path.suffix
    kind = rng.random()
    if kind < 0.25:
        return damage_bytes(rng, data), suffix
    if tree is None:
        return damage_text(rng, data.decode("utf-8", errors="replace")), suffix
    if kind < 0.45 and suffix != ".h5":
        return damage_inside(rng, data), suffix
    try:
        to = suffix if rng.random() < 0.85 else pick(rng, list(_WRITERS))
        return _WRITERS[to](rng, damage_tree(rng, tree)), to
    except _UNWRITABLE:
        return damage_bytes(rng, data), suffix


# Loading -----------------------------------------------------------------------------


def load(rng: Generator, path: Path, human: bool) -> None:
    """Load as a user might, with and without what the file lacks."""
    if human:
        find_body((read_bvh if path.suffix == ".bvh" else read_smpl)(path))
        return
    table = path.suffix == ".csv" and rng.random() < 0.9
    fps = 30.0 if table or rng.random() < 0.2 else None
    order = pick(rng, ("xyzw", "wxyz")) if table or rng.random() < 0.1 else None
    specs = clip_specs(f"{path}#*") if rng.random() < 0.3 else ()
    load_motion(next(iter(specs), path), fps=fps, quat_order=order)


def attempt(rng: Generator, path: Path, human: bool, limit_s: float) -> Tree:
    """How one load ends: its outcome, and for faults their kind and traceback."""

    def alarm(*_: object) -> None:
        raise TooSlow

    unraised: list[str] = []  # by destructors
    sys.unraisablehook = lambda info: unraised.append(repr(info.exc_value))
    signal.signal(signal.SIGPROF, alarm)
    # Of the processor: others may keep it busy. Again and again, for destructors and C
    # code can swallow what the first alarm raises.
    signal.setitimer(signal.ITIMER_PROF, limit_s, 1.0)
    start = time.process_time()
    outcome, kind, text = "loaded", "", ""
    try:
        load(rng, path, human)
    except UserError as error:
        outcome, text = type(error).__name__, str(error)
        kind = "" if str(path) in text else "message without the file"
    except (Exception, TooSlow) as error:
        frames = traceback.extract_tb(error.__traceback__)
        own = [f for f in frames if f"{os.sep}mimicgym{os.sep}" in f.filename]
        at = f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else "nowhere"
        kind = f"{type(error).__name__} at {at}"
        text = "".join(traceback.format_exception(error, limit=-30))
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    if unraised and not kind:
        kind, text = f"not raised: {unraised[0][:60]}", "\n".join(unraised)
    return {"outcome": "fault" if kind else outcome, "kind": kind, "text": text,
            "spent_s": time.process_time() - start}  # fmt: skip


def is_human(path: Path) -> bool:
    return path.suffix == ".bvh" or "poses.npy" in probe(path).members


def work(arguments: argparse.Namespace, first: int, folder: Path, pipe: Any) -> None:
    """Cases one after the other from `first` on, told through the pipe."""
    limit = int(arguments.memory_gib * 2**30)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    files = [(path, read_tree(path), is_human(path)) for path in arguments.files]
    warnings.simplefilter("error")
    for number in range(first, arguments.first + arguments.cases):
        rng = np.random.default_rng([arguments.seed, number])
        path, tree, human = files[number % len(files)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            data, suffix = make_case(rng, path, tree)
        file = folder / f"case{suffix}"
        file.write_bytes(data)
        about = {"number": number, "of": str(path), "format": suffix, "file": str(file)}
        pipe.send(about)
        human = human and suffix in (".bvh", ".npz")
        pipe.send(about | attempt(rng, file, human, arguments.seconds))


# Reporting ---------------------------------------------------------------------------


class Tally:
    """Outcomes by format, and the first file of each kind of fault."""

    def __init__(self, out: Path):
        self.outcomes: Counter[tuple[str, str]] = Counter()
        self.faults: Counter[str] = Counter()
        self._slowest: tuple[float, str] = (0.0, "")
        self._out = out

    def add(self, result: Tree) -> None:
        self.outcomes[result["format"], result["outcome"]] += 1
        label = f"case {result['number']} of {result['of']}"
        self._slowest = max(self._slowest, (result["spent_s"], label))
        kind = result["kind"]
        if not kind:
            return
        self.faults[kind] += 1
        if self.faults[kind] > 1:
            return
        print(f"FAULT {kind} ({label})", flush=True)
        self._out.mkdir(parents=True, exist_ok=True)
        stem = self._out / "".join(c if c.isalnum() else "_" for c in kind)
        shutil.copy(result["file"], f"{stem}{result['format']}")
        text = f"{json.dumps(result | {'text': ''}, indent=1)}\n\n{result['text']}"
        Path(f"{stem}.txt").write_text(text, encoding="utf-8", errors="replace")

    def report(self) -> str:
        names = sorted({outcome for _, outcome in self.outcomes})
        lines = [" " * 8 + "".join(f"{name:>13}" for name in names)]
        for row in sorted({row for row, _ in self.outcomes}):
            cells = "".join(f"{self.outcomes[row, name]:13}" for name in names)
            lines.append(f"{row:8}{cells}")
        lines.append("slowest: {:.2f} s, {}".format(*self._slowest))
        files, faults = self.outcomes.total(), self.faults.total()
        lines.append(f"{files} files, {faults} faults")
        return "\n".join(lines + [f"{n:8} {kind}" for kind, n in self.faults.items()])


def supervise(arguments: argparse.Namespace) -> Tally:
    """Run cases in another process, and a new one after a crash or a hang."""
    tally = Tally(arguments.out)
    end = time.monotonic() + 60 * arguments.minutes
    number = arguments.first
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        while time.monotonic() < end:
            ours, theirs = spawn.Pipe(duplex=False)
            job = (arguments, number, Path(folder), theirs)
            worker = spawn.Process(target=work, args=job)
            worker.start()
            theirs.close()
            begun: Tree | None = None
            with contextlib.suppress(EOFError):
                while begun is not None or time.monotonic() < end:
                    if not ours.poll(_HANG_S):
                        worker.kill()
                        break
                    told = ours.recv()
                    begun = None if "outcome" in told else told
                    number = told["number"] + 1
                    if begun is None:
                        tally.add(told)
            over = time.monotonic() >= end
            if over and begun is None:
                worker.kill()
            worker.join()
            if begun is not None:
                kind = f"the process ended with {worker.exitcode}"
                tally.add(begun | {"outcome": "fault", "kind": kind, "text": "",
                                   "spent_s": arguments.seconds})  # fmt: skip
            elif not over:  # it ended by itself
                if number < arguments.first + arguments.cases:
                    raise SystemExit("the process that loads files failed, see above")
                break
    return tally


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("files", nargs="+", type=Path, help="motion files to damage")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long")
    parser.add_argument("--seed", type=int, default=0, help="the same cases again")
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument(
        "--cases", type=int, default=sys.maxsize, help="how many at most"
    )
    parser.add_argument(
        "--seconds", type=float, default=10.0, help="of one load, at most"
    )
    parser.add_argument("--memory-gib", type=float, default=8.0, help="address space")
    parser.add_argument("--out", type=Path, default=Path("fuzz_faults"),
                        help="folder for the files of faults")  # fmt: skip
    tally = supervise(parser.parse_args())
    print(tally.report())
    raise SystemExit(1 if tally.faults else 0)


if __name__ == "__main__":
    main()
