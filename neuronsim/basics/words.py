"""Numbers put into words."""


def counted(n: int, noun: str, separator: str = ",") -> str:
    """A number and its noun, in the plural unless it is 1.

    Parameters
    ----------
    n : int
        The number.
    noun : str
        In the singular.
    separator : {",", "_", ""}
        Between thousands.

    Examples
    --------
    >>> counted(1, "neuron"), counted(1234, "edge")
    ('1 neuron', '1,234 edges')
    """
    return f"{n:{separator}} {noun}" + "s" * (n != 1)


def ordinal(n: int) -> str:
    """The number of a place in a row.

    Parameters
    ----------
    n : int
        From 1.

    Examples
    --------
    >>> [ordinal(n) for n in (1, 2, 3, 4, 11, 22, 1000)]
    ['1st', '2nd', '3rd', '4th', '11th', '22nd', '1,000th']
    """
    ends = {1: "st", 2: "nd", 3: "rd"}
    return f"{n:,}" + ("th" if n // 10 % 10 == 1 else ends.get(n % 10, "th"))


def neurons_in_words(n: int, n_inputs: int) -> str:
    """How large a network is: inputs count as neurons.

    Parameters
    ----------
    n, n_inputs : int
        All neurons, and the inputs among them.

    Examples
    --------
    >>> neurons_in_words(5, 2)
    '5 neurons, 2 of them inputs'
    """
    return f"{counted(n, 'neuron')}, {n_inputs:,} of them {'an input' if n_inputs == 1 else 'inputs'}"
