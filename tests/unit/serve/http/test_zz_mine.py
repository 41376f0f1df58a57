import sys; sys.path.insert(0, "tests/unit/serve/http")
import test_matrix as m, test_audited as a, test_repeating as r, test_schema as s, diascope.testing.calls as c
MINE=[x for x in c.ROUTES if "training" in x[1] or "uploads" in x[1] or "course" in x[1] or "/sign" in x[1]]
m.ROUTES=a.ROUTES=MINE
from test_matrix import test_every_route_is_as_the_matrix_says, test_whoever_is_not_logged_in_does_nothing
from test_audited import test_what_is_done_stands_in_the_trail, test_nothing_is_done_that_can_not_be_told
from test_repeating import test_every_write_takes_a_key
import contextlib, pytest, os
class S:
    def __init__(self, s): self.s=s
    def get_all_operations(self):
        for f in self.s.get_all_operations():
            if "uploads" in f.ok().label or "course" in f.ok().label or "/sign" in f.ok().label: yield f
old=s._schema
s._schema=lambda site: S(old(site))
os.environ["DIASCOPE_TEST_EXAMPLES"]="30"
from test_schema import test_fuzzed_a_little, test_the_description_is_valid_and_complete
