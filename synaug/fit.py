"""``synaug fit multirun/mine model/``: fit what a verdict favours; see `synaug.command.fit_model`.

Importing a module binds its name in the package, where the function `synaug.fit` is found. So the module can be called,
too, and does what the function does: whatever has imported it, ``synaug.fit("multirun/mine")`` works.
"""

import sys
from types import ModuleType
from typing import Any

from synaug.command.fit_model import fit as _fit
from synaug.command.fit_model import main


class _Callable(ModuleType):
    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """See `synaug.command.fit_model.fit`."""
        return _fit(*arguments, **options)


sys.modules[__name__].__class__ = _Callable

if __name__ == "__main__":
    sys.exit(main())
