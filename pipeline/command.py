"""What the drivers' command lines share: errors told in one line, a number of workers."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from typing import NoReturn

from brisc.errors import InputError, InputErrors


def run(main: Callable[..., int]) -> NoReturn:
    """Call `main` with the command line's words and exit with its code; what a user can mend ends in one
    line on stderr and exit code 1."""
    try:
        sys.exit(main(*sys.argv[1:]))
    except (InputError, InputErrors) as error:
        sys.exit("\n".join(f"error: {line}" for line in str(error).splitlines()))
    except subprocess.CalledProcessError as error:
        command = " ".join(map(str, error.cmd))
        sys.exit(f"error: {command} ended with {error.returncode}\n{error.stderr or ''}".rstrip())
    except sqlite3.Error as error:
        sys.exit(
            f"error: DVC's database: {error}. Is the disk full? Mend this and run the same command again."
        )
    except PermissionError as error:
        sys.exit(f"error: {error.filename}: {error.strerror}. A run as another user made it: chown it.")
    except OSError as error:
        sys.exit(
            f"error: {error.filename or 'disk'}: {error.strerror}. Mend this and run the same command again."
        )
    except KeyboardInterrupt:
        sys.exit("interrupted; run the same command again to go on")


def workers(command: str, *words: str) -> int | None:
    """The number of workers that the command line asks for, if it does."""
    if not words:
        return None
    if len(words) > 1 or not words[0].isdecimal() or int(words[0]) == 0:
        raise InputError(
            "not a number of workers",
            where=command,
            got=" ".join(words),
            expected="1 or more",
            mend=f"Use {command} WORKERS=2.",
        )
    return int(words[0])
