"""What plug-ins are tested with: factories of small inputs, and the promises of every family.

A plug-in of any installed package is found by its entry point and asked for its family's promises:

    pytest --pyargs diascope.testing -k my_plugin

The same promises are functions (`promises.metric`, `promises.check`, ...) for tests of one's own.
"""

from diascope.testing import promises
from diascope.testing.factories import a_case, a_survey, an_image
from diascope.testing.keeping import BrokenPromise

__all__ = ["BrokenPromise", "a_case", "a_survey", "an_image", "promises"]
