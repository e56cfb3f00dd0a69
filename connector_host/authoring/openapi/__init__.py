"""A plugin's manifest made of an OpenAPI document."""
