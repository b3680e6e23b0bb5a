"""The phantom archive that the search for copies is tested on, made once."""

import pytest

from phantoms import PhantomArchive, write_phantoms


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> PhantomArchive:
    return write_phantoms(tmp_path_factory.mktemp("phantoms"))
