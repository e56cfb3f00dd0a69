"""PagerDuty's stand-in: an account with state, and the parts of its API that `sandbox.py` puts together."""
