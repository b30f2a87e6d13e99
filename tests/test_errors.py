import inspect

import pytest

from neuronsim import errors
from neuronsim.errors import NeuronsimError, SettingError, UnknownNameError, choose, suggest


def test_all_is_sorted_and_complete():
    here = [n for n, o in vars(errors).items() if inspect.getmodule(o) is errors and n != "T" and not n.startswith("_")]
    assert errors.__all__ == sorted(here)


@pytest.mark.parametrize("name", [n for n in errors.__all__ if n.endswith("Error")])
def test_every_error_is_a_neuronsim_error_named_in_the_docstring(name):
    assert issubclass(getattr(errors, name), NeuronsimError)
    assert name in (errors.__doc__ or "")


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        ("WiringError", ValueError),
        ("CycleError", errors.WiringError),
        ("UnknownNameError", KeyError),
        ("DataError", ValueError),
        ("SettingError", ValueError),
        ("NotKnownError", RuntimeError),
        ("FileError", ValueError),
        ("CheckError", AssertionError),
        ("DivergenceWarning", RuntimeWarning),
        ("CompileWarning", RuntimeWarning),
    ],
)
def test_built_in_bases(error, builtin):
    assert issubclass(getattr(errors, error), builtin)


def test_unknown_name_error_prints_without_quotes():
    assert str(UnknownNameError("no neuron 'H1'")) == "no neuron 'H1'"
    assert str(UnknownNameError()) == ""


def test_suggest_names_the_nearest_whatever_its_case():
    assert suggest("H1", ["h1", "o1"]) == "; did you mean 'h1'?"
    assert suggest("zzz", ["h1", "o1"]) == ""


def test_choose():
    table = {"mse": 1, "mae": 2}
    assert choose("loss", "mae", table) == 2
    with pytest.raises(SettingError, match=r"^unknown loss 'msee'; did you mean 'mse'\? allowed: mse, mae$"):
        choose("loss", "msee", table)
    with pytest.raises(SettingError, match=r"^unknown loss 3; allowed: mse, mae$"):
        choose("loss", 3, table)


@pytest.mark.parametrize(
    ("given", "meant"), [("mse", "mean_squared_error"), ("BCE", "binary_cross_entropy"), ("dense", "layered")]
)
def test_what_others_call_otherwise(given, meant):
    assert suggest(given, [meant, "something"]) == f"; did you mean {meant!r}?"
    assert suggest(given, ["something"]) == ""


def test_a_message_stays_readable_whatever_was_given():
    """A name of 560,000 characters made a message of 560 KB, a rate of 10**400 one of 400 digits."""
    table = {"tanh": 1, "relu": 2}
    with pytest.raises(SettingError) as found:
        choose("activation", "x" * 560_000, table)
    message = str(found.value)
    assert len(message) < 1100
    assert message.startswith("unknown activation 'xxx")
    assert message.endswith("allowed: tanh, relu")
    assert "characters are left out" in message
    assert str(SettingError(f"epochs={-(10**400)}: wrong")) == "epochs=-100000000000…00000000: wrong"
    assert str(SettingError(f"no step {10**60:,} here")) == "no step 1,000,000,00…,000,000 here"
    assert str(SettingError("as given", "y" * 9000)).count("y") == 1000
