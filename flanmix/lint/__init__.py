"""The linter of wordings: faults that render without an error, and teach a model something nobody meant.

Rules look at texts alone (`static`) or at rows too (`linting`); there is one module for each kind.
"""

from flanmix.lint.finding import RULES, Finding
from flanmix.lint.linting import ROWS, Report, lint

__all__ = ["ROWS", "RULES", "Finding", "Report", "lint"]
