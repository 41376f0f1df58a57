"""What a source lists at the place that a user named, a public set included, where no model is to be learnt from it."""

from __future__ import annotations

from diascope.core import registry
from diascope.engine.progress import Tell
from diascope.sources import Listing, Request, recognise
from diascope.sources.publicsets.locating import located


def listing_of(request: Request, tell: Tell) -> Listing:
    """Fetch the place where that is needed, recognise its layout, and list its cases.

    Raises:
        BadUsage: When the place does not exist, or several layouts fit.
        DataRefused: When none fits, or it holds no cases.
        UnknownName: When a column that the user named does not exist.
    """
    location = located(request.location, tell).location
    listing: Listing = registry.get("sources", recognise(location, request.source)).list(location, request.options)
    return listing
