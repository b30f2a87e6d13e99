"""CSV files: delimiters, headers and classes are found, and mistakes have a line."""

from pathlib import Path

import numpy as np
import pytest

from neuronsim.data import read_csv
from neuronsim.errors import FileError, NeuronsimError, SettingError, UnknownNameError


class TestCsv:
    @staticmethod
    def write(tmp_path: Path, text: str) -> Path:
        file = tmp_path / "d.csv"
        file.write_text(text, encoding="utf-8")
        return file

    def test_columns_by_name(self, tmp_path: Path) -> None:
        file = self.write(tmp_path, "a,t,b\n1,2,3\n\n4,5e0, -6.5\n")
        data = read_csv(file, targets=["t"])
        X, T = data
        assert X.tolist() == [[1, 3], [4, -6.5]]
        assert T.tolist() == [[2], [5]]
        assert (data.features, data.targets) == (("a", "b"), ("t",))

    def test_targets_in_the_order_asked_for(self, tmp_path: Path) -> None:
        data = read_csv(self.write(tmp_path, "a,b,c\n1,2,3\n"), targets=["c", "a"])
        assert data.T.tolist() == [[3, 1]]

    def test_without_header(self, tmp_path: Path) -> None:
        data = read_csv(self.write(tmp_path, "1,2\n3,4"), targets=-1)
        assert (data.X.tolist(), data.T.tolist(), data.targets) == ([[1], [3]], [[2], [4]], ("c1",))

    def test_numbers_as_names(self, tmp_path: Path) -> None:
        data = read_csv(self.write(tmp_path, "1950,1951\n3,4\n"), targets="1951", header=True)
        assert data.T.tolist() == [[4]]

    def test_byte_order_mark_quotes_and_windows_line_ends(self, tmp_path: Path) -> None:
        data = read_csv(self.write(tmp_path, '\ufeff"a b",t\r\n"1",2\r\n'), targets="t")
        assert (data.features, data.X.tolist()) == (("a b",), [[1]])

    def test_classes(self, tmp_path: Path) -> None:
        data = read_csv(self.write(tmp_path, "a,k\n1,0\n2,2\n"), targets="k", classes=True)
        assert (data.T.tolist(), data.classes) == ([0, 2], ("0", "1", "2"))
        with pytest.raises(FileError, match=r"line 3, column 'k': class numbers are whole ones from 0.*not '1\.5'"):
            read_csv(self.write(tmp_path, "a,k\n1,0\n2,1.5\n"), targets="k", classes=True)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "is empty"),
            ("\n\n", "is empty"),
            ("a,b\n", "no line of numbers"),
            ("a,b\n1,\n", "line 2, column 'b': is blank"),
            ("a,b\n1,2\n3,x\n", "line 3, column 'b': 'x' is no finite number"),
            ("a,b\n1,nan\n", "no finite number"),
            ("a,b\n1,-inf\n", "no finite number"),
            ("a,b\n1_000,2\n", "no finite number"),
            ("a,b\n1,2,3\n", "line 2: 3 cells, the file has 2 columns"),
            ("a,b\n1\n", "line 2: 1 cell, the file has 2 columns"),
            ("a,a\n1,2\n", "two columns are called 'a'"),
            ("a,\n1,2\n", "column 1 has no name"),
            ("1,b\n1,2\n", "header=True or header=False"),
            ("a;b\n1;2\n", "delimiter=';'"),
            ('a,b\n"1,2\n', "line 2: unexpected end of data"),
            ("a,b\n1,\0\n", "line 2"),
        ],
    )
    def test_refused_with_line_and_column(self, tmp_path: Path, text: str, message: str) -> None:
        with pytest.raises(FileError, match=message) as caught:
            read_csv(self.write(tmp_path, text), targets="b")
        assert "d.csv" in str(caught.value)

    def test_foreign_files(self, tmp_path: Path) -> None:
        file = tmp_path / "d.csv"
        with pytest.raises(FileError, match="there is no file"):
            read_csv(file)
        file.write_bytes(b"a,b\n1,\xff\n")
        with pytest.raises(FileError, match="not UTF-8"):
            read_csv(file)

    def test_features_that_are_chosen(self, tmp_path: Path) -> None:
        """The columns that nobody asked for may hold anything."""
        path = tmp_path / "homes.csv"
        path.write_text("area,kind,rooms,price,city\n10,flat,2,100,\n20,house,3,200,Rome\n")
        data = read_csv(path, "price", features=["rooms", "area"])
        assert (data.features, data.targets) == (("rooms", "area"), ("price",))
        assert data.X.tolist() == [[2, 10], [3, 20]]
        assert read_csv(path, "kind", features=0, classes=True).classes == ("flat", "house")
        with pytest.raises(
            FileError, match=r"line 2, column 'kind': 'flat' is no finite number; .*--features\) takes.*--classes"
        ):
            read_csv(path, "price")
        wrong = [(["price"], "a target, too"), ([], "they are none"), (["rom"], "did you mean 'rooms'")]
        for features, message in wrong:
            with pytest.raises(NeuronsimError, match=message):
                read_csv(path, "price", features=features)

    @pytest.mark.parametrize(
        ("text", "given", "message"),
        [
            ("a,t\n1,2\nn/a,3\n", {}, "'n/a' is no finite number; correct it, or leave the line out"),
            ("a,t\n1,2\n1,x\n", {}, "'x' is no finite number; correct it, or leave the line out"),
            ("a,t\nred,2\n", {"features": "a"}, "'red' is no finite number; correct it, or leave the line out"),
            ("a,t\n,2\n", {}, "is blank; fill it in, or leave the line out"),
            ("a;t\n1;2\n1,5;3\n", {"delimiter": ";"}, "'1,5' is no finite number; .* with a point: 1.5"),
            ("a;t\n-,5;2\n", {"delimiter": ";"}, "'-,5' is no finite number; .* with a point: -.5"),
        ],
    )
    def test_advice_is_for_the_cell(self, tmp_path: Path, text: str, given: dict, message: str) -> None:
        with pytest.raises(FileError, match=f"{message}$"):
            read_csv(self.write(tmp_path, text), "t", **given)

    def test_unknown_target(self, tmp_path: Path) -> None:
        file = self.write(tmp_path, "temp,t\n1,2\n")
        with pytest.raises(UnknownNameError, match=r"no column 'tmp' in .*; did you mean 'temp'"):
            read_csv(file, targets=["tmp"])
        with pytest.raises(UnknownNameError, match="no column 2"):
            read_csv(file, targets=[2])
        with pytest.raises(SettingError, match="twice"):
            read_csv(file, targets=["t", 1])
        with pytest.raises(SettingError, match="all columns"):
            read_csv(file, targets=["t", "temp"])
        with pytest.raises(SettingError, match="delimiter"):
            read_csv(file, delimiter="::")


class TestClasses:
    def test_names_of_classes_get_numbers(self, tmp_path: Path) -> None:
        (tmp_path / "d.csv").write_text("a,kind\n1,dog\n2,cat\n3,dog\n")
        data = read_csv(tmp_path / "d.csv", "kind", classes=True)
        assert data.classes == ("cat", "dog")
        assert data.T.tolist() == [1, 0, 1]
        assert data.T.dtype == np.int32
        with pytest.raises(FileError, match=r"'dog' is no finite number.*classes=True"):
            read_csv(tmp_path / "d.csv", "kind")

    @pytest.mark.parametrize("label", ["2147483647", "1e300", "-1", "0.5", "one"])
    def test_class_numbers_are_small_and_whole(self, tmp_path: Path, label: str) -> None:
        (tmp_path / "d.csv").write_text(f"a,t\n1,0\n2,{label}\n")
        with pytest.raises(FileError, match=f"line 3.*class numbers are whole ones from 0.*not '{label}'"):
            read_csv(tmp_path / "d.csv", "t", classes=True)

    def test_a_blank_class(self, tmp_path: Path) -> None:
        (tmp_path / "d.csv").write_text("a,t\n1,x\n2,\n")
        with pytest.raises(FileError, match=r"line 3.*is blank"):
            read_csv(tmp_path / "d.csv", "t", classes=True)
