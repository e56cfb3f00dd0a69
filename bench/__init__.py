"""The bench: what an invocation costs, beside the same work done by PagerDuty's own client in the same run."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
