"""Samples of requests are registered before any test asks for them."""

import diascope.testing.room_calls  # noqa: F401
import diascope.testing.explaining_calls  # noqa: F401
import diascope.testing.models_calls  # noqa: F401
import diascope.testing.signing_calls  # noqa: F401
import diascope.testing.viewing_calls  # noqa: F401
import diascope.testing.work_calls  # noqa: F401
