"""The pages: escaping, policy, languages, and odd records."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files
from typing import Any

import pytest

from diascope.core.case import Case, Dataset, Label, Target
from diascope.core.errors import UnknownName
from diascope.core.evaluation import CaseScore, CaseValues, Evaluation, Gate, Release, Subgroup
from diascope.core.figure import Bars, Chart, Gallery, Grid, Line, Matrix, Picture
from diascope.core.finding import Measure
from diascope.core.plan import Choice, Fingerprint, InputFacts, Plan
from diascope.core.problem import Problem
from diascope.reports.content import ReportContent
from diascope.reports.html import render_check, render_report
from diascope.reports.results import part_sentence
from diascope.reports.words import Words

ATTACK = "</style><script>alert('x')</script>\"><img src=x onerror=alert(1)>"


class Elements(HTMLParser):
    """Every start tag with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def a_target(name: str = "diagnosis") -> Target:
    return Target(name=name, kind="category", columns=(name,), labels=(Label(name="benign", value=0),))


def some_figures(name: str) -> tuple[Any, ...]:
    return (
        Chart(
            title=f"ROC {name}",
            x_label=name,
            y_label=name,
            lines=(Line(label=name, x=(0, 1), y=(0, 1), low=(0, 0.9), high=(0.1, 1)),),
            note=name,
        ),
        Matrix(title=name, rows=(name, "b"), columns=(name, "b"), counts=((3, 1), (0, 0)), note=name),
        Bars(title=name, names=(name,), values=(0.5,), low=(0.4,), high=(0.6,), note=name),
        Gallery(title=name, pictures=(Picture(png="AA==", caption=name, case=name, legend=((name, "#ff0000"),)),)),
        Grid(title=name, columns=(name, "n"), rows=((name, 3), (None, 2.5)), note=name),
    )


def an_evaluation(name: str = "a", **changes: Any) -> Evaluation:
    record = Evaluation(
        dataset=f"set-{name}",
        part="test",
        task="a_task_from_elsewhere",
        release=name,
        cases=60,
        patients=45,
        metrics={
            "auroc": Measure(value=0.914, low=0.878, high=0.943),
            f"never_heard_of/{name}": Measure(value=12.345, unit="mm", note=name),
            "nothing": Measure(value=None, note="undefined for these cases"),
        },
        headline=("auroc", "missing"),
        decision={"choice": name, "threshold": 0.31, "nested": {"a": [1, 2.5, None, True]}},
        subgroups=(Subgroup(covariate=name, value=name, cases=9, patients=7, metrics={"auroc": Measure(value=0.8)}),),
        cases_ranked=tuple(CaseScore(case=f"{name}{i}", patient=name, score=None if i else 0.5) for i in range(40)),
        figures=some_figures(name),
        warnings=(name,),
        created="2026-11-21T10:00:00+00:00",
    )
    return record.model_copy(update=changes)


def a_release(name: str = "a", signed_by: str | None = None) -> Release:
    return Release(
        name=name,
        version="0.1.0",
        task="x",
        target=a_target(),
        dataset=name,
        plan_hash="0" * 64,
        backend="torch",
        precision="fp32",
        decision={},
        gate=Gate(rules=()),
        members=("model.safetensors",),
        hashes={"model.safetensors": "0" * 64},
        signed_by=signed_by,
        signed_at="2026-11-22T00:00:00" if signed_by else None,
    )


def a_problem(name: str = "a", severity: Any = "warn") -> Problem:
    return Problem(
        check="duplicates",
        severity=severity,
        title=f"title {name}",
        detail=f"detail {name}",
        cases=(name, "b"),
        exclude=(name,),
        measures={"auroc": Measure(value=0.7)},
        figure=Grid(title=name, columns=(name,), rows=((name,),)),
    )


def a_content(name: str = "a", **changes: Any) -> ReportContent:
    facts = InputFacts(
        kind="image",
        modality="mr",
        channels=1,
        dimensions=3,
        physical=True,
        shapes=((8, 9, 10),) * 5,
        spacings=((2.0, 1.0, 1.0),) * 5,
        intensity={},
        per_case={},
    )
    kinds: tuple[Any, ...] = ("fixed", "rule", "measured", "by hand")
    choices = {f"{kind}_{name}": Choice(value={"k": name}, kind=kind, reason=name) for kind in kinds}
    content = ReportContent(
        title=f"Title {name}",
        evaluation=an_evaluation(name),
        release=a_release(name),
        plan=Plan(dataset=name, task="x", target=a_target(), seed=7, choices=choices),
        fingerprint=Fingerprint(
            dataset=name,
            cases=60,
            patients=45,
            inputs={name: facts},
            strata={name: 40, "b": 20},
            bytes_decoded=1,
            seconds_per_case=0.1,
        ),
        dataset=Dataset(
            name=name,
            source="image_folder",
            root="/data",
            task="x",
            target=a_target(),
            cases=(Case(id=name, patient=name, inputs={}, split="train"), Case(id="b", patient="b", inputs={})),
            notes=(name,),
        ),
        problems=(a_problem(name),),
        training=some_figures(name)[:1],
        explanations=some_figures(name)[3:4],
        cost={"predicted_minutes": 15.0, "actual_minutes": 16.5, "predicted_gb": 3.0, "actual_gb": 2.9},
        environment={name: name},
        reproduce=(f"diascope fit {name}",),
    )
    return replace(content, **changes)


@pytest.mark.parametrize("lang", ["en", "zh-CN"])
def test_hostile_text_stays_text(lang: str) -> None:
    check = render_check(ATTACK, ATTACK, 1, 1, [a_problem(ATTACK, "refuse")], [ATTACK], lang)
    for page in (render_report(a_content(ATTACK), lang), check):
        elements = Elements(page)
        assert not [tag for tag, _ in elements.found if tag in {"script", "iframe", "object", "link", "form", "base"}]
        assert not [key for _, attributes in elements.found for key in attributes if key.startswith("on")]
        assert not [attributes for _, attributes in elements.found if "style" in attributes]
        assert "<script>alert('x')</script>" in "".join(elements.text)


def test_policy_allows_only_this_style_sheet() -> None:
    page = render_report(a_content())
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert policy is not None
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style.group(1).encode()).digest()).decode()
    rules = dict(part.strip().split(" ", 1) for part in policy.group(1).split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["style-src"] == f"'sha256-{digest}'"
    assert rules["img-src"] == "data:"
    assert "script-src" not in rules


@pytest.mark.parametrize("lang", ["en", "zh-CN"])
def test_nothing_is_loaded_from_elsewhere(lang: str) -> None:
    page = render_report(a_content("https://example.org/x"), lang)
    for _, attributes in Elements(page).found:
        for key in ("src", "href", "data", "action", "srcset"):
            assert (attributes.get(key) or "#").startswith(("#", "data:image/png;base64,"))
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style is not None
    assert "url(" not in style.group(1)
    assert "@import" not in style.group(1)


def per_class(bases: int, classes: int) -> list[list[str]]:
    """First row of each table of measures by class, with its number of rows."""
    metrics = {f"m{b}/c{c}": Measure(value=0.5, low=0.4, high=0.6) for b in range(bases) for c in range(classes)}
    page = render_report(a_content(evaluation=an_evaluation(metrics=metrics, figures=())))
    tables = re.findall(r'<table class="classes">(.*?)</table>', page, re.DOTALL)
    heads = [re.findall("<th[^>]*>([^<]*)</th>", table.split("</thead>")[0]) for table in tables]
    return [[*head, str(table.count("<tr>") - 1)] for head, table in zip(heads, tables, strict=True)]


def test_table_of_classes_has_its_longer_side_down_the_page() -> None:
    assert per_class(11, 2) == [["Metric", "c0", "c1", "11"]]
    assert per_class(2, 11) == [["Class", "m0", "m1", "11"]]


def test_table_of_classes_is_cut_to_the_width_of_a_page() -> None:
    assert per_class(8, 9) == [["Class", *(f"m{b}" for b in some), "9"] for some in (range(4), range(4, 8))]


def test_small_group_is_flagged_once_and_undefined_values_say_why() -> None:
    metrics = {"auroc": Measure(value=0.8, note="too few: 7 patients"), "dice": Measure(value=None, note="no such")}
    group = Subgroup(covariate="site", value="north", cases=9, patients=7, metrics=metrics)
    page = render_report(a_content(evaluation=an_evaluation(subgroups=(group,), headline=tuple(metrics))))
    assert page.count("under 20 patients") == 1
    assert "too few: 7 patients" not in page
    assert "no such" in page


@pytest.mark.parametrize("page", ["report", "check"])
def test_headings_leave_out_no_level(page: str) -> None:
    shown = render_report(a_content()) if page == "report" else render_check("t", "s", 1, 1, [a_problem()], ["n"])
    levels = [int(tag[1]) for tag, _ in Elements(shown).found if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert max(after - before for before, after in itertools.pairwise(levels)) == 1


def test_links_lead_to_sections_of_the_page() -> None:
    found = Elements(render_report(a_content())).found
    anchors = {attributes["id"] for _, attributes in found if "id" in attributes}
    links = {attributes["href"] for tag, attributes in found if tag == "a"}
    assert links == {f"#{anchor}" for anchor in anchors - {"headline"}}
    assert {"#results", "#data", "#plan", "#reproduce"} <= links


def test_headline_numbers_have_interval_and_n() -> None:
    page = render_report(a_content())
    text = "".join(Elements(page).text).replace("\N{WORD JOINER}", "")
    assert "0.91" in text
    assert "95 % interval 0.88–0.94" in text
    assert "n = 45 patients" in text
    assert "Test: 60 cases of 45 patients never seen in training." in text


@pytest.mark.parametrize(
    ("part", "says"),
    [("cross-validated", "Cross-validated"), ("external", "External validation"), ("odd", "Evaluated on odd")],
)
def test_sentence_says_on_whom(part: str, says: str) -> None:
    assert says in render_report(a_content(evaluation=an_evaluation(part=part)))


@pytest.mark.parametrize("lang", ["en", "zh-CN"])
@pytest.mark.parametrize(
    ("part", "patients"), [("test", True), ("cross-validated", True), ("external", True), ("test", False)]
)
def test_nothing_is_claimed_of_what_a_network_from_elsewhere_has_seen(part: str, patients: bool, lang: str) -> None:
    content = a_content(evaluation=an_evaluation(part=part))
    cases = [case.model_copy(update={"patient_known": patients}) for case in content.dataset.cases]
    origin = {"origin": Choice(value={"name": "theirs"}, kind="by hand", reason="")}
    content = replace(
        content,
        plan=content.plan.model_copy(update={"choices": origin}),
        dataset=content.dataset.model_copy(update={"cases": tuple(cases)}),
    )
    said = part_sentence(content, Words(lang))
    unlike = {"en": ("never seen", "had not seen", "no training saw"), "zh-CN": ("从未出现", "未见过", "训练中未使用")}
    assert ("whether" if lang == "en" else "不得而知") in said or "nor whether" in said
    assert not any(words in said for words in unlike[lang])


def test_sentence_is_careful_after_an_accepted_finding() -> None:
    page = render_report(a_content(evaluation=an_evaluation(accepted=("patients",))))
    assert "never seen in training" not in page
    assert "accepted by hand may weaken this" in page


def test_unknown_patients_are_not_claimed() -> None:
    content = a_content()
    cases = tuple(case.model_copy(update={"patient_known": False}) for case in content.dataset.cases)
    page = render_report(replace(content, dataset=content.dataset.model_copy(update={"cases": cases})))
    assert "Nobody knows which patients they show" in page
    assert "n = 60 cases" in page
    assert "n = 45 patients" not in page


def test_few_patients_are_called_a_hint() -> None:
    page = render_report(a_content(evaluation=an_evaluation(patients=12)))
    assert "Too few patients for intervals" in page


def test_warnings_come_before_the_numbers() -> None:
    problem = a_problem("P", "refuse").model_copy(update={"check": "patients", "title": "2 patients on both sides"})
    evaluation = an_evaluation(accepted=("patients",), warnings=("evaluated twice",))
    page = render_report(a_content(problems=(problem,), evaluation=evaluation))
    box, numbers = page.index('class="warning"'), page.index('id="headline"')
    assert box < numbers
    assert "Accepted by hand, although the data check refused it: 2 patients on both sides" in page[box:numbers]
    assert "evaluated twice" in page[box:numbers]


@pytest.mark.parametrize(("lang", "said"), [("en", "MUST NOT BE USED: it copies."), ("zh-CN", "不得使用：it copies。")])
def test_what_speaks_against_a_release_comes_first(lang: str, said: str) -> None:
    page = render_report(a_content(evaluation=an_evaluation(blocks=("it copies",))), lang)
    assert said in page[: page.index('id="headline"')]
    assert said not in render_report(a_content(), lang)


def test_no_warning_box_without_a_reason() -> None:
    assert 'class="warning"' not in render_report(a_content(evaluation=an_evaluation(warnings=()), problems=()))


def test_release_says_whether_it_is_signed() -> None:
    assert "unsigned candidate" in render_report(a_content())
    assert "signed by Dr. Li 2026-11-22" in render_report(a_content(release=a_release(signed_by="Dr. Li")))
    assert "no release" in render_report(a_content(release=None))


def test_plan_shows_every_kind_and_reason() -> None:
    page = render_report(a_content("why"))
    for badge in ("fixed", "rule", "measured", "hand"):
        assert f'class="badge {badge}"' in page
    assert page.count(">why</td>") >= 4


def test_cost_is_compared() -> None:
    text = "".join(Elements(render_report(a_content())).text)
    assert "+10 % against the prediction" in text
    assert "16.5\N{NO-BREAK SPACE}min" in text


@pytest.mark.parametrize("lang", ["en", "zh-CN"])
def test_empty_and_odd_records_are_shown(lang: str) -> None:
    nan = float("nan")
    evaluation = an_evaluation(
        metrics={"a": Measure(value=nan, low=nan, high=nan), "b": Measure(value=None)},
        headline=(),
        figures=(
            Chart(title="", x_label="", y_label="", lines=()),
            Chart(title="t", x_label="", y_label="", lines=(Line(label="l", x=(nan, 1), y=(1, nan)),)),
            Chart(title="one", x_label="", y_label="", lines=(Line(label="l", x=(1,), y=(1,)),)),
            Matrix(title="m", rows=(), columns=(), counts=()),
            Matrix(title="m", rows=("a",), columns=("a",), counts=((nan,),)),
            Bars(title="b", names=(), values=()),
            Bars(title="b", names=("x", "y"), values=(nan, 0.0), low=(None, nan), high=(None, nan)),
            Gallery(title="g", pictures=()),
            Gallery(title="g", pictures=(Picture(png="", caption=""),)),
            Grid(title="t", columns=("a", "b"), rows=((nan,), (None, "x", "too many"))),
            Grid(title="t", columns=(), rows=()),
        ),
        subgroups=(Subgroup(covariate="c", value="", cases=0, patients=0, metrics={}),),
        decision={},
        cases_ranked=(),
        patients=0,
        cases=0,
        created="",
    )
    empty = a_content(
        evaluation=evaluation,
        release=None,
        problems=(),
        training=(),
        explanations=(),
        cost={"predicted_minutes": 0.0, "actual_minutes": nan},
        environment={},
        reproduce=(),
    )
    empty = replace(empty, plan=empty.plan.model_copy(update={"choices": {}}))
    text = "".join(Elements(render_report(empty, lang)).text)
    assert "nan" not in text
    assert "–" in text


def test_check_page_says_the_verdict_and_lists_the_gravest_first() -> None:
    problems = [a_problem("N", "note"), a_problem("R", "refuse"), a_problem("W", "warn")]
    page = render_check("Check", "/data", 1234, 56, problems, ["read as folder"])
    assert page.index("title R") < page.index("title W") < page.index("title N")
    assert "nothing should be trained" in page
    assert "1,234" in page
    assert "read as folder" in page


def test_check_page_of_clean_data() -> None:
    page = render_check("Check", "/data", 10, 10, [], [])
    assert "Usable. Nothing was found." in page
    assert "Every check passed" in page


def test_unknown_language_names_the_known_ones() -> None:
    with pytest.raises(UnknownName, match="zh-CN"):
        render_report(a_content(), "zh")
    with pytest.raises(UnknownName):
        render_check("t", "s", 1, 1, [], [], "fr")


def test_chinese_page_has_no_english_fixed_words() -> None:
    english = json.loads(files("diascope.reports").joinpath("words.en.json").read_text(encoding="utf-8"))
    page = render_report(a_content("甲", evaluation=an_evaluation("甲", accepted=("x",))), "zh-CN")
    check = render_check(
        "甲", "甲", 3, 3, [a_problem("甲", one) for one in ("refuse", "warn", "note")], ["甲"], "zh-CN"
    )
    shown = {text.strip() for text in (*Elements(page).text, *Elements(check).text)}
    assert not shown & {text for text in english.values() if re.search("[a-z]{2}", text)}
    assert '<html lang="zh-CN">' in page


@pytest.mark.parametrize("lang", ["en", "zh-CN"])
def test_decisions_of_folds_are_shown_beside_the_one_of_the_release(lang: str) -> None:
    where = {"en": "8 training cases", "zh-CN": "8 个训练病例"}
    evaluation = an_evaluation(
        part="cross-validated",
        decision={"temperature": 1.5, "fitted_on": where},
        decisions_by_fold=({"temperature": 1.625}, {"temperature": 1.375}),
    )
    text = "".join(Elements(render_report(replace(a_content(), evaluation=evaluation), lang)).text)
    assert where[lang] in text
    assert "1.62" in text
    assert "1.38" in text
    assert {"en": "Cases of fold 2", "zh-CN": "第 2 折的病例"}[lang] in text
    assert {"en": "itself not measured", "zh-CN": "本身未经测量"}[lang] in text


def case_values(count: int) -> tuple[CaseValues, ...]:
    names = [f"{metric}/{part}" for metric in ("dice", "hd95") for part in ("organ", "lesion")]
    return tuple(
        CaseValues(case=f"study-{n}", patient=f"p{n}", values={name: None if n == 1 else 0.625 for name in names})
        for n in range(count)
    )


@pytest.mark.parametrize("lang", ["en", "zh-CN"])
def test_every_case_and_structure_stands_in_a_folded_table_and_undefined_ones_are_counted(lang: str) -> None:
    metrics = {
        f"{name}/{part}": Measure(value=0.6, unit="mm" if name == "hd95" else "1")
        for name in ("dice", "hd95")
        for part in ("organ", "lesion")
    }
    evaluation = an_evaluation(
        metrics=metrics, headline=(), case_values=case_values(3), undefined={"hd95/lesion": 7}, cases_ranked=()
    )
    page = render_report(a_content(evaluation=evaluation), lang)
    folded = [part for part in re.findall(r"<details.*?</details>", page, re.DOTALL) if "study-0" in part]
    assert len(folded) == 1
    assert folded[0].count("<tr>") == 1 + 3 * 2
    assert "0.62" in folded[0]
    assert "mm" in folded[0]
    assert folded[0].count('<td class="number">–</td>') == 4
    assert {"en": "7 cases left out: undefined", "zh-CN": "7 个病例无定义，未计入"}[lang] in page


def test_a_table_of_every_case_is_cut_and_says_where_the_rest_is() -> None:
    page = render_report(a_content(evaluation=an_evaluation(case_values=case_values(1000))))
    assert "study-299" in page
    assert "study-300" not in page
    assert "The 300 worst cases are shown; all 1,000 are in evaluation.json" in page


def test_cases_that_are_all_alike_have_no_chart_of_strata() -> None:
    content = a_content()
    assert "Training cases in each stratum" in render_report(content)
    alike = content.fingerprint.model_copy(update={"strata": {"": 50}})
    assert "Training cases in each stratum" not in render_report(replace(content, fingerprint=alike))
