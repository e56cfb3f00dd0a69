"""The rules of the conformance kit, by the grade that they belong to; every one of them runs."""
