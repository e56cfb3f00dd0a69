"""Confines a plugin's own process by Landlock, the Linux kernel's way for a program to give up rights of its own.

Left is to read the plugin's folder and the interpreter, and to write into a temporary folder. There is no way from
there to the host's data folder, its memory (a confined process may not trace others), TCP, or signals to others, as
far as the kernel knows of these: TCP from Landlock's version 4 on, signals from 6 on. It does not know of UDP.

There is no well-kept package for it; the numbers are those of linux/landlock.h, the same on all machines.
"""

import ctypes
import os
import struct
import sys
import sysconfig
from collections.abc import Iterable
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_NO_NEW_PRIVILEGES = 38  # of prctl; Landlock wants it
_VERSION, _BENEATH = 1, 1
_EXECUTE, _WRITE, _READ, _READ_FOLDER, _TRUNCATE, _DEVICE_CONTROL = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 14, 1 << 15
_OF_A_FILE = _EXECUTE | _WRITE | _READ | _TRUNCATE | _DEVICE_CONTROL
_READING = _EXECUTE | _READ | _READ_FOLDER
_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}  # how many rights on files each version knows; later ones as the last
_TCP, _OTHERS = 0b11, 0b11  # bind and connect; abstract sockets and signals
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache", "/etc/localtime", "/usr/share/zoneinfo")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")


def landlock_version() -> int:
    """Return the version of Landlock that this machine has; 0 where there is none."""
    return max(0, _system(_CREATE_RULESET, None, 0, _VERSION)) if sys.platform == "linux" else 0


def confine(plugin: Path, temporary: Path) -> None:
    """Give up all rights but those that a plugin needs, for good; does nothing where there is no Landlock.

    Raises OSError where the kernel refuses. To be called before any thread starts: it holds for the one that calls.
    """
    version = landlock_version()
    if not version:
        return
    everything = (1 << _RIGHTS.get(version, 16)) - 1
    handled = [everything, *([_TCP] if version >= 4 else []), *([_OTHERS] if version >= 6 else [])]  # noqa: PLR2004 - of landlock(7)
    attributes = struct.pack(f"={len(handled)}Q", *handled)
    ruleset = _checked(_system(_CREATE_RULESET, attributes, len(attributes), 0))
    try:
        for path in _interpreter() | {str(plugin)}:
            _allow(ruleset, path, _READING)
        for path in _DEVICES:
            _allow(ruleset, path, (_READ | _WRITE) & everything)
        _allow(ruleset, str(temporary), everything)
        _checked(ctypes.CDLL(None, use_errno=True).prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0))
        _checked(_system(_RESTRICT_SELF, ruleset, 0))
    finally:
        os.close(ruleset)


def _interpreter() -> set[str]:
    """Return where Python, what it imports and the system's libraries stand.

    Of what else is on the path, a project's root say, only this package: a data folder may stand beside it.
    """
    home = str(Path(__file__).parents[2])
    own: Iterable[str] = (sys.prefix, sys.base_prefix, sys.exec_prefix, *sysconfig.get_paths().values(), home)
    return {path for path in (*own, *_LIBRARIES) if Path(path).is_absolute() and Path(path).exists()}


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        beneath = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        fitting = rights if Path(path).is_dir() else rights & _OF_A_FILE
        _checked(_system(_ADD_RULE, ruleset, _BENEATH, struct.pack("=Qi", fitting, beneath), 0))
    finally:
        os.close(beneath)


def _system(number: int, *arguments: int | bytes | None) -> int:
    library = ctypes.CDLL(None, use_errno=True)
    words = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    return int(library.syscall(ctypes.c_long(number), *words))


def _checked(answer: int) -> int:
    if answer < 0:
        raise OSError(ctypes.get_errno(), f"Landlock: {os.strerror(ctypes.get_errno())}")
    return answer
