"""One interpreter for all attempts of a test session; see ``tests/forked_training.py``."""

import shutil

import pytest

from jobs.train.launcher import _environment
from tests.forked_training import ForkServer


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """Start attempts of one rank, each in a second."""
    started = ForkServer(_environment(1, scratch=tmp_path_factory.mktemp("scratch")))
    yield started
    started.close()


@pytest.fixture
def fresh(prepared, tmp_path):
    """Copy the file's own ``prepared`` run under a name, to be trained on."""

    def copy(name):
        shutil.copytree(prepared.root, tmp_path / name)
        return type(prepared)(tmp_path / name)

    return copy
