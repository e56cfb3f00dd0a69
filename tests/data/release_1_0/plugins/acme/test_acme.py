"""The conformance kit over this plugin: every sample, every failure, every limit."""

from connector_host.testing import plugin_suite

test_acme = plugin_suite(__file__)
