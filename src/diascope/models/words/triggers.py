"""Words that deny, doubt, or only seem to deny what a sentence names (NegEx, Chapman et al. 2001), English and Chinese.

The English list is a selection of that of NegEx and of ConText (Harkema et al. 2009) for chest reports; the Chinese one
is ours. `before` stands before what it speaks of, `after` behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

Meaning = Literal["denied", "doubted", "nothing", "end"]
Side = Literal["before", "after", "both"]

TRIGGERS: Mapping[tuple[Meaning, Side], tuple[str, ...]] = MappingProxyType(
    {
        ("denied", "before"): (
            *("no", "not", "without", "negative for", "free of", "clear of", "absence of", "absent", "none", "neither"),
            *("no evidence of", "no radiographic evidence of", "no signs of", "no sign of", "no findings of", "nor"),
            *("denies", "rather than", "resolution of", "resolved", "interval resolution of", "removal of", "never"),
            *("fails to reveal", "does not show", "do not see", "no definite", "no focal", "no large", "no visible"),
            *("未见", "未发现", "未及", "未查见", "未显示", "未提示", "没有", "无", "否认", "不伴", "除外", "排除"),
        ),
        ("denied", "after"): (
            *(
                "is not seen",
                "are not seen",
                "not seen",
                "not identified",
                "not present",
                "not visualized",
                "is absent",
            ),
            *("are absent", "was ruled out", "is ruled out", "ruled out", "has resolved", "have resolved", "resolved"),
            *("unlikely", "is negative", "not evident", "is not evident", "not demonstrated", "not appreciated"),
            *("未见", "消失", "阴性", "已吸收", "不支持", "可能性不大", "可能性小"),
        ),
        ("doubted", "before"): (
            *("possible", "possibly", "probable", "probably", "may represent", "may be", "might be", "could represent"),
            *("could be", "suspicious for", "suspicion of", "suspected", "suspect", "concerning for", "concern for"),
            *("cannot exclude", "can not exclude", "can't exclude", "cannot rule out", "not excluded", "rule out"),
            *("question of", "questionable", "versus", "vs", "differential", "suggest", "suggests", "suggesting"),
            *("suggestive of", "likely", "perhaps", "equivocal", "evaluate for", "worrisome for", "r/o", "borderline"),
            *("可能", "疑似", "可疑", "疑", "考虑", "倾向", "不除外", "不能除外", "不能排除", "不排除", "无法除外"),
            *("未除外", "未能除外", "待排除", "待排", "或"),
        ),
        ("doubted", "after"): (
            *("cannot be excluded", "can not be excluded", "not excluded", "cannot be ruled out", "is possible"),
            *("is not excluded", "are possible", "is suspected", "may be present", "versus", "vs", "is questionable"),
            *("可能", "待排", "待除外", "待查", "不除外", "不能除外", "不排除", "可疑", "可能性大"),
        ),
        ("nothing", "both"): (
            *("no change", "no interval change", "no significant change", "no significant interval change", "not only"),
            *("no increase", "without change", "without significant change", "no further", "not necessarily", "or not"),
            *("not changed", "no longer", "not significantly changed", "no new"),
            *("无变化", "无明显变化", "未见明显变化", "较前无", "无著变", "无显著变化", "无明显诱因"),
        ),
        ("end", "both"): (
            *("but", "however", "although", "though", "except", "except for", "apart from", "aside from", "other than"),
            *("which", "secondary to", "due to", "because of", "consistent with", "compatible with", "there is"),
            *("there are", "with", "while", "whereas", "yet", "otherwise"),
            *("但", "但是", "然而", "另见", "并见", "伴有", "伴", "可见", "见"),
        ),
    }
)
"""What a trigger means, and on which side of it that holds. A longer trigger goes before a shorter one inside it."""

REACH = {"en": 12, "zh": 24}
"""Words (Chinese characters) behind a finding up to which an `after` trigger speaks of it."""

SENTENCES = r"[;\n。；！？]|[.!?](?=\s|$)"
"""What ends a sentence; a point between digits does not."""

SKIPPED = (
    *("indication", "indications", "history", "clinical history", "clinical information", "clinical", "reason"),
    *("reason for exam", "reason for examination", "comparison", "technique", "exam", "examination", "procedure"),
    *("临床", "病史", "主诉", "临床诊断", "检查目的", "检查方法", "申请原因"),
)
"""Sections of a report that do not say what was seen."""
