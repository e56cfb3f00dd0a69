"""The list of what the documents claim is long, and each claim on it is tried by a test that is there."""

from collections import Counter

from tests.docs.claims import claims


def test_the_claims_are_many_and_of_every_shelf() -> None:
    found = list(claims())
    tried = Counter(claim.tried.partition(";")[0] for claim in found)
    assert tried["printed by the block before it"] >= 90
    assert tried["run"] >= 140
    assert tried["made of the product, and compared"] >= 700
    pages = {claim.page for claim in found}
    assert len(pages) >= 30
    assert all(claim.words.strip() for claim in found)
