"""Composition root of the library: settings, adapters, core, servicer."""

from services.library.adapters.catalogue import SqliteTrackCatalogue
from services.library.adapters.folders import DiskFolders
from services.library.adapters.tag_reader import MutagenTagReader
from services.library.core.listing import TrackListing
from services.library.core.scanner import DJLibraryScanner
from services.library.migrations import migrate
from services.library.servicer import LibraryServicer, service
from services.library.settings import LibrarySettings
from stemhouse.platform.databases import open_database
from stemhouse.platform.server import serve
from stemhouse.platform.telemetry import configure_logging


def main() -> None:
    """Serve until told to stop."""
    settings = LibrarySettings()
    configure_logging("library", settings.log_level)
    database = open_database(settings.database_url)
    migrate(database)
    catalogue = SqliteTrackCatalogue(database)
    folders = DiskFolders()
    scanner = DJLibraryScanner(catalogue, folders, MutagenTagReader())
    servicer = LibraryServicer(scanner, TrackListing(catalogue, folders))
    serve(service(servicer, catalogue.probe), settings.listen, on_stop=[database.dispose])


if __name__ == "__main__":
    main()
