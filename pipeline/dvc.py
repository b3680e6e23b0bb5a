"""DVC, as everything here starts it: `python -m pipeline.dvc WORDS` is `dvc WORDS`.

By the interpreter at work, since .venv/bin/dvc names the folder it was installed in, from which the
repository may have been copied or moved. And with configurations written in UTF-8: ConfigObj writes ASCII,
and DVC puts paths into the configuration of an experiment.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

DVC = (sys.executable, "-m", "pipeline.dvc")


def cache_of(place: Path) -> Path:
    """The folder of the cache of the repository `place`."""
    command = [*DVC, "cache", "dir"]
    asked = subprocess.run(command, cwd=place, stdout=subprocess.PIPE, text=True, check=True)
    return Path(asked.stdout.strip())


def main(words: list[str]) -> int:
    from configobj import ConfigObj
    from dvc.cli import main as dvc

    write = ConfigObj.write

    def write_utf8(self: ConfigObj, *args: Any, **kwargs: Any) -> Any:
        self.encoding = self.encoding or "utf-8"
        return write(self, *args, **kwargs)

    ConfigObj.write = write_utf8
    return int(dvc(words))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
