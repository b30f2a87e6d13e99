"""Sections: headings, rows, remarks."""

from neuronsim.documents.section import Section


def test_sections_of_plain_text_stay_as_they_are():
    section = Section("a heading", (("one", "1"), ("three", "3")), ("a remark",))
    assert str(section) == "a heading\n    one    1\n    three  3\n    a remark"
