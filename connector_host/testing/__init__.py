"""What plugins are tested with: the conformance kit, as tests, by one line in a test file.

from connector_host.testing import plugin_suite

test_acme = plugin_suite(__file__)
"""

from connector_host.authoring.kit.kit import plugin_suite

__all__ = ["plugin_suite"]
