"""Numbers, dates and times as pages and reports write them, the same in every language."""

from __future__ import annotations

from datetime import UTC, datetime


def date(day: str, time: str = "") -> str:
    """`2026-05-01 08:30` of DICOM's date and time; "" where there is none."""
    return f"{iso_date(day)} {time[:2]}:{time[2:4]}" if day and len(time) >= 4 else iso_date(day)


def iso_date(day: str) -> str:
    """`2026-05-01` of DICOM's `20260501`; as it is where it is none."""
    return f"{day[:4]}-{day[4:6]}-{day[6:8]}" if len(day) == 8 and day.isdigit() else day


def moment(at: float) -> str:
    """`2026-05-01 08:30 UTC` of seconds since 1970."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def percent(probability: float) -> str:
    """`93 %`; near the ends with a digit more, so that nothing is called certain."""
    value = 100 * probability
    if 1 <= value <= 99:
        return f"{value:.0f} %"
    return "< 0.1 %" if value < 0.1 else "> 99.9 %" if value > 99.9 else f"{value:.1f} %"


def share(value: float) -> str:
    """`93 %` of what was counted; all and none are `100 %` and `0 %`."""
    return f"{100 * value:.0f} %" if value in (0, 1) else percent(value)


def quantity(value: float, unit: str) -> str:
    """A value of four digits with its unit: `12.34 mL`; of large ones all that stand before the point."""
    text = f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return text if unit == "1" else f"{text} {unit}"
