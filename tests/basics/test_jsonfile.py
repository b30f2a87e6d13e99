"""What a small JSON file holds; nothing where it is not there, torn, or no table."""

import pytest

from neuronsim.basics.jsonfile import read_or_nothing


@pytest.mark.parametrize(
    ("text", "found"), [('{"a": 1}', {"a": 1}), ('{"a": ', {}), ("", {}), ("[1]", {}), (None, {}), (b"\xff", {})]
)
def test_whatever_is_there(tmp_path, text, found):
    if text is not None:
        (tmp_path / "a.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    assert read_or_nothing(tmp_path / "a.json") == found
