"""What authors are served with: scaffold, checks, documentation, comparison, conformance kit."""
