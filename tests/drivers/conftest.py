import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "demo"), str(ROOT / "tests/drivers")]


def pytest_configure(config):
    config.addinivalue_line("markers", "heavy: only with ./dev check --full drivers")
