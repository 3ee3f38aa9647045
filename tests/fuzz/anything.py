"""What the fuzz tests share: how many examples, and data of every shape."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

SEQUENCES = int(os.environ.get("TORC_TEST_SEQUENCES", "100"))
"""Examples of each test."""

many = settings(
    max_examples=SEQUENCES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
NUMBERS = st.integers() | st.integers(-3, 3) | st.floats() | st.sampled_from([2**63, -(2**63) - 1, 10**400, 1e308])
WORDS = st.text(max_size=6) | st.text("ab{}:%$\\0.2df ^()[]*\n\t\0\ud800\u2028\x85", max_size=10)
SCALARS = st.none() | st.booleans() | NUMBERS | WORDS
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4), max_leaves=12
)
"""As a JSON reader of Python may give it: also infinities and halves of surrogate pairs."""
