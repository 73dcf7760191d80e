"""What encoders have in common that leave all work to a library of their own, which is an extra."""

from typing import Any, ClassVar

from synaug.encoder.model_files import ModelFiles
from synaug.errors import UserError
from synaug.files import sources


class LibraryEncoder:
    """A model that another library reads and applies; neither is touched before it is asked for.

    Attributes
    ----------
    package, extra
        The library as it is imported, and the extra of synaug that brings it.
    files
        The model's.
    """

    package: ClassVar[str]
    extra: ClassVar[str]
    files: ModelFiles

    def look(self) -> None:
        """Find out cheaply whether library and model are there.

        Raises
        ------
        UserError
            If they are not.
        """
        sources.require_package(self.package, extra=self.extra)
        self.files.look()

    def source(self) -> str:
        """Name the model cheaply; see `synaug.encoder.model_files.ModelFiles.source`."""
        return self.files.source()

    def _identity(self, **settings: Any) -> dict[str, Any]:
        """What decides the numbers: the model's files, the library's release, and these settings.

        Raises
        ------
        UserError
            If the library is not installed.
        """
        sources.require_package(self.package, extra=self.extra)
        library = self.files.library
        return {**self.files.digests(), "library": f"{library} {sources.release(library)}", **settings}

    def _unloadable(self, error: Exception) -> UserError:
        """What is said of files that the library cannot load."""
        reason = " ".join(str(error).split())
        return UserError(
            f"{self.files.folder} cannot be loaded as a {self.files.library} model ({reason}): save it with its "
            "save_pretrained"
        )
