"""Files: written whole or not at all, and read without trust."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from compoclip.errors import InputError


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary sibling of `path`; on a clean exit it is synced and renamed over `path`, else removed."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with named(path):
            yield temporary
            sync(temporary)
            os.replace(temporary, path)
            sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def named(path: str | Path) -> Iterator[None]:
    """Give an OSError that names no file, as those of a full disk are, the name of the file being written."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise


def check_writable(*paths: str | Path) -> None:
    """Make sure, before long work, that its results can be written to these files; their folders are made.

    Raises InputError where one cannot.
    """
    for path in map(Path, paths):
        if path.is_dir():
            raise InputError(f"{path}: is a folder; name a file")
        probe = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise InputError(f"{path}: cannot be written ({error.strerror or error}); name another place") from None


def remove_leftovers(folder: Path, names: str = "*") -> list[str]:
    """Remove what `atomic_path` and others left in `folder` when their process died: `.NAME.PID.tmp`, files or folders.

    names: pattern of NAME. What belongs to a living process of this machine stays. Returns the names removed.
    """
    removed = []
    for path in sorted(folder.glob(f".{names}.tmp")) if folder.is_dir() else ():
        pid = path.name.split(".")[-2]
        if not pid.isdigit() or _alive(int(pid)):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        removed.append(path.name)
    return removed


def _alive(pid: int) -> bool:
    if pid == os.getpid() or os.name == "nt":  # on Windows there is no harmless signal to ask with
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    if os.name == "nt" and path.is_dir():  # Windows opens no folders, and keeps their names by itself
        return
    # for writing on Windows, where a handle that only reads cannot be flushed
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(path: str | Path, data: bytes) -> None:
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: str | Path, text: str) -> None:
    write_bytes(path, text.encode("utf-8"))


def write_json(path: str | Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def parse_json(text: str | bytes) -> Any:
    """`json.loads` whose every failure is a ValueError: deep nesting and numbers of thousands of digits too."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested more deeply than any real file") from None


def parse_yaml(text: str) -> Any:
    """`yaml.safe_load` whose every failure is a YAMLError: days that no month has and deep nesting too."""
    import yaml

    try:
        return yaml.safe_load(text)
    except (ValueError, OverflowError) as error:
        raise yaml.YAMLError(f"a value that cannot be read ({error})") from None
    except RecursionError:
        raise yaml.YAMLError("nested more deeply than any real file") from None


def read_json(path: str | Path, writable: bool = False) -> Any:
    """Parse a JSON file in UTF-8, with or without byte order mark.

    writable: also refuse half of a surrogate pair, which JSON can spell and no file can hold.
    Raises InputError naming the file and the line where it breaks.
    """
    try:
        value = parse_json(Path(path).read_text(encoding="utf-8-sig"))
        if writable:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        return value
    except FileNotFoundError:
        raise InputError(f"{path}: no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror or error})") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 (byte {error.start}); save it as UTF-8") from None
    except UnicodeEncodeError:
        raise InputError(f"{path}: a text in it contains half of a surrogate pair; write whole characters") from None
    except ValueError as error:
        line = f" line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise InputError(f"{path}:{line} is not valid JSON ({error.args[0]})") from None


def sha256_file(path: str | Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as handle:
        for block in iter(lambda: handle.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()
