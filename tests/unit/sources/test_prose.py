"""What is a report, and what is a path."""

from diascope.sources.tables.written import is_prose


def test_paths_are_no_reports() -> None:
    paths = [f"/data/of the hospital.d/films/of/the/study/{number}/a.png".replace(" ", "_") for number in range(9)]
    assert not is_prose(paths)
    assert is_prose([f"The lungs of patient {number} are clear, and there is no effusion." for number in range(9)])
    report = "双肺未见明显异常，心影不大，第{number}号检查未见胸腔积液，肋骨未见骨折。"
    assert is_prose([report.format(number=number) for number in range(9)])
