"""Publishing: a review notebook becomes an offline page, a run record and a line of the catalogue."""

from salesforecast.publish.catalogue import rebuild
from salesforecast.publish.record import Run, runs
from salesforecast.publish.reviews import check_notebooks, notebooks, packaged_notebooks
from salesforecast.publish.runner import run

__all__ = ["Run", "check_notebooks", "notebooks", "packaged_notebooks", "rebuild", "run", "runs"]
