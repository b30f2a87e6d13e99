"""Data: scalers that can be undone, readers for CSV and IDX files, and data sets by name."""

from neuronsim.data.csvfile import read_csv
from neuronsim.data.dataset import Dataset
from neuronsim.data.idx import read_idx
from neuronsim.data.scaling import MinMaxScaler, Standardizer
from neuronsim.data.sets import load

__all__ = ["Dataset", "MinMaxScaler", "Standardizer", "load", "read_csv", "read_idx"]


def __dir__() -> list[str]:
    return __all__
