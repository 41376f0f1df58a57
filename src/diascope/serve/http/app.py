"""The application: routes, answers to errors, and what holds for every request."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

from fastapi import APIRouter, FastAPI

from diascope.serve.http import describing, errors
from diascope.serve.http.bodies import BoundedBodies
from diascope.serve.http.defects import Defects
from diascope.serve.http.events import Listening
from diascope.serve.http.headers import Headers
from diascope.serve.http.measuring import Measured, Measures
from diascope.serve.room import refusing
from diascope.serve.service import Service


def application(service: Service, routers: Sequence[tuple[str, APIRouter]]) -> FastAPI:
    """The web application of a service.

    Args:
        service: Opened.
        routers: Address and routes, from `routing.py`.
    """
    app = FastAPI(
        title="Diascope",
        version=version("diascope"),
        description="A second reader for medical images. Not a medical device.",
        openapi_url=None,  # `routes/description.py`
        docs_url=None,
        redoc_url=None,
        separate_input_output_schemas=True,
        redirect_slashes=False,
    )
    app.state.service = service
    app.state.measures, app.state.listening = Measures(service), Listening()
    for prefix, router in routers:
        app.include_router(router, prefix=prefix)
    errors.install(app)
    refusing.install(app)
    # The last one added is the first to see a request.
    app.add_middleware(BoundedBodies, small=1 << 20)
    app.add_middleware(Defects)
    app.add_middleware(Measured, measures=app.state.measures)
    app.add_middleware(Headers)
    describing.install(app)
    return app
