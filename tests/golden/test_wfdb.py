"""WFDB storage formats agree with the package `wfdb` (4.3.1) on random bytes, frames of several samples, and skew.

Random bytes (numpy's generator, seed 3) were written into a `.dat` of each format beside a header that names it; the
table is what `wfdb.rdrecord(..., physical=False)` read of them; of format 311 the two bits that no
sample uses are zero.
"""

import base64

import numpy as np
import pytest

from diascope.core import registry

GAIN, BASELINE = (200, 50), (3, -2)
STEPS = {
    8: ("+MK+z5Ma7RX10+8tBZ0=", [-3, -69, -178, -197, -208, -225, -220], [-57, -106, -80, -59, -104, -59, -158]),
    16: (
        "NuxtLsdSIM0kB4beOZIIlQ4PFgqQ0BgYBykLVQ==",
        [-5066, 21191, 1828, -28103, 3854, -12144, 10503],
        [11885, -13024, -8570, -27384, 2582, 6168, 21771],
    ),
    24: (
        "O2jhbuLJCJ8aG6N6ISnJQ0am5CgyswCxiT8NvP9AXggInBkdnZK+c9uH",
        [-2004933, 1744648, -3593951, 3287268, 868233, 526430, -4287843],
        [-3546514, 8037147, -5880253, -5177165, 4259772, 1907100, -7873677],
    ),
    32: (
        "7X9I46gVSYQQmYxrUKM9bi/llKphbjiWSsE+LO7v4rwOzbnBSe7N9KBuRMlPaMFIWMXqUZQwB6Y=",
        [-481787923, 1804376336, -1433082577, 742310218, -1044787954, -918262112, 1374340440],
        [-2075585112, 1849533264, -1774686623, -1125978130, -187830711, 1220634703, -1509478252],
    ),
    61: (
        "lSh+pig2O7INmYfeO7/vSsGaUvBzp2EAudKwEw==",
        [-27352, 10294, 3481, 15295, -15974, 29607, -17966],
        [32422, 15282, -30754, -4278, 21232, 24832, -20461],
    ),
    80: ("TLE0+W1eovHFBWRMMvc=", [-52, -76, -19, 34, 69, -28, -78], [49, 121, -34, 113, -123, -52, 119]),
    160: (
        "+mJhUGfBCAs9LUfkHVqkqQk9zZXnEqM+DsCneA==",
        [-7430, 16743, -21187, -9699, -17143, -27929, 16398],
        [-12191, -29944, 25671, 10660, 5581, -16733, -1881],
    ),
    212: (
        "c1G6MGt79cU0e3d5hsHEB39WIUEd",
        [371, -1232, 1525, 1915, 390, -249, 289],
        [1466, 1659, -972, 1913, -828, 1878, 1053],
    ),
    310: (
        "JzcLhaFxzl9e4e5AmR9CFzdtzZs=",
        [-109, -506, -25, 175, 284, -95, -357],
        [-379, 208, 366, 119, -52, 67, 486],
    ),
    311: (
        "TIgWKbimLAVJanQuJnKNLfp6CjU=",
        [76, -367, -215, -439, -281, -164, -262],
        [418, -328, 82, 282, -474, -296, -354],
    ),
}
"""Format to bytes, and the samples that wfdb reads of them."""

WORDS = "1QKwm2GXTaGd2Hc/k2pUTPlLwHwKxOO9X+bhSvnK37hah12n67v9N+wrSWNYd3PUO5S51zHlW6h9cjUBw+jLrh0doTn/e/DR"
FRAMES = (
    *(725, -25680, -26783, -10083, 16247, 27283, 19449, 31936, -15350, -6561, 19169, -13575, -30886, -22691, -17429),
    *(11244, 25417, 30552, -27589, -10311, -6863, 29309, 309, -5949, 7453, 14753, 31743),
)
ONCE = (-24243, 19540, -16925, -18209, 14333, -11149, -22437, -20789, -11792)
SKEWED = (
    *(-10083.0, 27283.0, 19449.0, -15350.0, -6561.0, -13575.0, -30886.0, -17429.0, 11244.0, 30552.0, -27589.0),
    *(-6863.0, 29309.0, -5949.0, 7453.0, 31743.0, np.nan, np.nan),
)


def a_record(folder, header, content):
    (folder / "r.dat").write_bytes(base64.b64decode(content))
    (folder / "r.hea").write_text(header)
    return registry.get("formats", "wfdb").read([folder / "r.hea"])


@pytest.mark.parametrize("kind", STEPS)
def test_a_storage_format_is_read_as_wfdb_reads_it(kind, tmp_path):
    content, *expected = STEPS[kind]
    first = " 12 0 5" if kind == 8 else ""
    lines = [
        f"r.dat {kind} {gain}({zero})/{unit}{first}"
        for gain, zero, unit in zip(GAIN, BASELINE, ("mV", "mmHg"), strict=True)
    ]
    signal = a_record(tmp_path, "\n".join(["r 2 360 7", *lines]), content)
    physical = (np.array(expected).T - BASELINE) / GAIN
    assert signal.rate == 360
    assert signal.units == ("mV", "mm[Hg]")
    assert np.allclose(signal.values, physical, rtol=1e-6, atol=0)


def test_frames_of_several_samples(tmp_path):
    signal = a_record(tmp_path, "r 2 100 9\nr.dat 16x3 1/mV\nr.dat 16 1/mV", WORDS)
    assert signal.rate == 300
    assert signal.values[:, 0].tolist() == list(FRAMES)
    assert signal.values[::3, 1].tolist() == list(ONCE)
    assert "channel 2" in signal.history[0]


def test_skew(tmp_path):
    signal = a_record(tmp_path, "r 2 100 18\nr.dat 16:2 1/mV\nr.dat 16 1/mV", WORDS)
    assert np.array_equal(signal.values[:, 0], np.array(SKEWED, np.float32), equal_nan=True)
    assert signal.values[0, 1] == -25680
