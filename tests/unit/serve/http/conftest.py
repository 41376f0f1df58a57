"""Samples of requests are registered before any test asks for them."""

import diascope.testing.beside_calls
import diascope.testing.explaining_calls
import diascope.testing.labelling_calls
import diascope.testing.models_calls
import diascope.testing.room_calls
import diascope.testing.signal_calls
import diascope.testing.signing_calls
import diascope.testing.statement_calls
import diascope.testing.training_calls
import diascope.testing.viewing_calls
import diascope.testing.work_calls  # noqa: F401
