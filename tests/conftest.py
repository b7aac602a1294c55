"""What every test needs: nobody's logging but its own."""

from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def unconfigured_logging() -> Iterator[None]:
    """Take back what a phase that ran inside of the test's process has set up."""
    yield
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()
