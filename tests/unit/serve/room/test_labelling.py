"""The pages of labelling: who sees what of them, what they say of agreement, and that others' words stay text."""

from __future__ import annotations

import json
import re
from importlib.resources import files

import pytest

from diascope.serve.database import labelling_tables
from diascope.serve.labelling.agreeing import agreement, pairs_of
from diascope.serve.labelling.cases import answered, labelling_row
from diascope.testing.labelling_calls import a_complete, a_labelling, an_annotation
from diascope.testing.reading import rows_of
from diascope.testing.viewing_calls import a_drawing
from diascope.testing.web import ORIGIN, OTHER, OWN, Browser, Site, a_site

FOREIGN = '"><img src=x onerror=alert(1)>'


def page(who: Browser, path: str, status: int = 200) -> str:
    answer = who.get(f"{ORIGIN}{path}")
    assert answer.status_code == status, answer.text[:300]
    return answer.text.partition('<script type="application/json"')[0]


def told(site: Site, labelling: str):
    with site.service.database.reading() as connection:
        row = labelling_row(connection, labelling)
        assert row is not None
        given = answered(connection, row)
    return agreement(site.service, row, given), given


def both(site: Site, labelling: str, number: int, one: object, other: object) -> None:
    for reader, said in (("ann", one), ("bob", other)):
        site.clock.forward(1)
        an_annotation(site, labelling, number, reader, said)


def test_own_labellings_are_listed_and_no_others(tmp_path) -> None:
    site = a_site(tmp_path)
    a_labelling(site, OWN, name="of ours")
    a_labelling(site, OTHER, name="of others")
    a_labelling(site, OWN, name="an old one", closed=site.service.clock())
    text = page(site.someone("reader"), "/labelling")
    assert "of ours" in text
    assert "of others" not in text
    assert text.index("of ours") < text.index("an old one"), "the open ones first"
    assert text.count("/label") - text.count("/labelling") == 1, "one can be worked at"
    assert 'aria-current="page">Label<' in text


@pytest.mark.parametrize(("role", "makes", "labels"), [("reader", 0, 1), ("researcher", 1, 1), ("steward", 1, 0)])
def test_each_role_is_offered_what_it_may(role, makes, labels, tmp_path) -> None:
    site = a_site(tmp_path)
    labelling, who = a_labelling(site, OWN), site.someone(role)
    assert page(who, "/labelling").count('id="new-labelling"') == makes
    text = page(who, f"/labelling/{labelling}")
    assert (text.count('id="close"'), text.count('id="start"')) == (makes, labels)
    page(who, f"/labelling/{labelling}/label", 200 if labels else 403)
    page(site.someone(role, places=(OTHER,)), f"/labelling/{labelling}", 404)


@pytest.mark.parametrize("lang", ["en", "zh-CN"])
def test_agreement_and_differences_are_shown(lang, tmp_path) -> None:
    site = a_site(tmp_path)
    labelling = a_labelling(site, OWN, twice=1.0)
    for patient in range(24):
        _, _, number = a_complete(site, OWN, f"patient-{patient}")
        both(
            site, labelling, number, {"classes": ["nodule"][: patient % 2]}, {"classes": ["nodule"][: patient // 4 % 2]}
        )
    who = site.someone("steward")
    who.cookies["diascope-language"] = lang
    text = page(who, f"/labelling/{labelling}")
    for part in ("progress", "agreement", "differences", "series"):
        assert f'id="{part}"' in text
    found, _ = told(site, labelling)
    assert f"{found.measures['positive/nodule'].value:.2f}" in text
    assert len(re.findall(r"<b>ann</b>", text)) == len(found.differ) == 12


def test_who_may_be_asked_sees_no_answers_before_the_own_one(tmp_path) -> None:
    site = a_site(tmp_path)
    labelling = a_labelling(site, OWN, twice=1.0, labels=["zebra", "effusion"])
    _, _, number = a_complete(site, OWN)
    both(site, labelling, number, {"classes": ["zebra"]}, None)
    who = site.someone("reader")

    def differences() -> str:
        return page(who, f"/labelling/{labelling}").partition('id="differences"')[2]

    assert "zebra" not in differences()
    assert "shown once you have answered" in differences()
    assert "zebra" in page(site.someone("steward"), f"/labelling/{labelling}").partition('id="differences"')[2]
    an_annotation(site, labelling, number, who.user, {"classes": []})
    assert "zebra" in differences()


def test_what_others_wrote_is_text(tmp_path) -> None:
    site = a_site(tmp_path)
    labelling = a_labelling(site, OWN, name=FOREIGN, labels=[FOREIGN, "b"], release=FOREIGN)
    _, _, number = a_complete(site, OWN)
    both(site, labelling, number, {"classes": [FOREIGN]}, {"classes": []})
    for path in ("/labelling", f"/labelling/{labelling}"):
        assert "<img" not in page(site.someone("steward"), path)
    assert "<img" not in page(site.someone("reader"), f"/labelling/{labelling}/label")


def test_every_series_can_be_chosen_a_page_at_a_time(tmp_path) -> None:
    site = a_site(tmp_path)
    labelling = a_labelling(site, OWN)
    made = {a_complete(site, OWN, f"patient-{number}")[0] for number in range(60)}
    who, path, found = site.someone("reader"), f"/labelling/{labelling}", set()
    while path:
        text = page(who, path)
        found |= set(re.findall(r"label\?study=([0-9.]+)", text))
        following = re.search(r'href="([^"]+)#series" rel="next"', text)
        path = following[1] if following else ""
    assert found == made


# The statistics of what is kept.


def test_the_first_two_readers_of_a_series_are_compared(tmp_path) -> None:
    site = a_site(tmp_path)
    labelling = a_labelling(site, OWN, exclusive=True)
    _, _, number = a_complete(site, OWN)
    both(site, labelling, number, {"classes": ["nodule"]}, {"classes": ["effusion"]})
    site.clock.forward(1)
    an_annotation(site, labelling, number, "a third", {"classes": ["nodule"]})
    found, given = told(site, labelling)
    assert (found.pairs, len(found.differ), found.measures["agreement"].value) == (1, 1, 0.0)
    (pair,) = pairs_of(given)
    assert (pair.one.reader, pair.other.reader) == ("ann", "bob")


def test_boxes_are_compared_by_their_overlap(tmp_path) -> None:
    site = a_site(tmp_path)
    labelling = a_labelling(site, OWN, asks="boxes")
    box = {"label": "nodule", "start": [0, 0, 0], "stop": [1, 10, 10]}
    near, far = {**box, "stop": [1, 10, 8]}, {**box, "stop": [1, 10, 4]}
    for patient, theirs in enumerate(([near], [far], [])):
        _, _, number = a_complete(site, OWN, f"patient-{patient}")
        both(site, labelling, number, {"boxes": [box]}, {"boxes": theirs})
    found, _ = told(site, labelling)
    assert found.measures["f1/nodule"].value == pytest.approx(2 * 1 / 5)
    assert found.measures["f1/effusion"].value is None
    assert len(found.differ) == 2


def test_masks_are_compared_by_their_voxels(tmp_path) -> None:
    site = a_site(tmp_path)
    drawn = [a_drawing(site, OWN, reader) for reader in ("ann", "bob")]
    with site.service.database.reading() as connection:
        number = connection.exec_driver_sql("SELECT series_id FROM drawings").scalar()
    site.service.database.change(
        lambda connection: connection.exec_driver_sql("UPDATE series SET completed = 1.0, modality = 'CT'")
    )
    labelling = a_labelling(site, OWN, asks="masks", labels=["mass", "other"])
    for reader, drawing in zip(("ann", "bob"), drawn, strict=True):
        site.clock.forward(1)
        an_annotation(site, labelling, number, reader, {"drawing": drawing}, revision=0)
    found, _ = told(site, labelling)
    assert (found.measures["dice/mass"].value, found.measures["dice/other"].value) == (1.0, None)
    assert (list(found.differ), found.left_out) == ([], 0)
    _, _, elsewhere = a_complete(site, OWN, "patient-9")
    both(site, labelling, elsewhere, {"drawing": "gone"}, {"drawing": drawn[0]})
    found, _ = told(site, labelling)
    assert (found.measures["dice/mass"].value, found.left_out) == (1.0, 1), "what is gone is no empty mask"


def test_who_can_not_tell_is_in_no_statistic_but_differs(tmp_path) -> None:
    site = a_site(tmp_path)
    labelling = a_labelling(site, OWN)
    for patient, (one, other) in enumerate(((None, None), (None, {"classes": []}), ({"classes": []}, {"classes": []}))):
        _, _, number = a_complete(site, OWN, f"patient-{patient}")
        both(site, labelling, number, one, other)
    found, _ = told(site, labelling)
    assert (found.pairs, found.unsure, len(found.differ)) == (3, 2, 1)
    assert found.measures["agreement"].value == 1.0
    assert len(rows_of(site.service, labelling_tables.annotations)) == 6


def test_both_languages_have_the_same_words_and_blanks() -> None:
    folder = files("diascope.serve.room").joinpath("catalogue")
    en, zh = (json.loads(folder.joinpath(f"labelling.{lang}.json").read_text("utf-8")) for lang in ("en", "zh-CN"))
    assert en.keys() == zh.keys()
    assert all(key.startswith("labelling.") for key in en)
    wrong = [key for key in en if set(re.findall(r"\{\w+\}", en[key])) != set(re.findall(r"\{\w+\}", zh[key]))]
    assert wrong == []
