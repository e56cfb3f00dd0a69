"""Beside a cryptography without HPKE all works but sealed exports, which say what they need."""

import importlib.util

import pytest

from connector_host.crypto.hpke import Hpke
from connector_host.model.errors import BadSetting
from tests.host.test_transfer import PRIVATE, PUBLIC

OLDER = importlib.util.find_spec("cryptography.hazmat.primitives.hpke") is None


@pytest.mark.skipif(not OLDER, reason="cryptography has HPKE here; .ci/run --all tries the oldest one that will do")
def test_sealing_says_what_it_needs_both_ways() -> None:
    with pytest.raises(BadSetting, match="need cryptography 47 or newer"):
        Hpke().seal(PUBLIC, b"secret", b"context")
    with pytest.raises(BadSetting, match="need cryptography 47 or newer"):
        Hpke().open(PRIVATE, b"sealed", b"context")
