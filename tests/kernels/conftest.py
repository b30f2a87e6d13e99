"""Long runs in processes of their own begin while other tests still run: on two cores they cost nothing."""

import platform
from typing import Any


def pytest_collection_finish(session: Any) -> None:
    modules = {item.module for item in session.items if item.name.startswith("test_processors_change_no_bit")}
    if platform.machine() in ("x86_64", "AMD64") and not session.config.option.collectonly:
        for module in modules:
            module.begin()
