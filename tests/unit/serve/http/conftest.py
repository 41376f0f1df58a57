"""Samples of requests are registered before any test asks for them."""

import diascope.testing.work_calls  # noqa: F401
