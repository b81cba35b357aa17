"""Flags that several commands have: what is printed, which recordings are read and how."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Witness(StrEnum):
    """Whom `repair` can believe; typer takes no list of literals."""

    ROWS = "rows"
    META = "meta"
    VIDEO = "video"


Json = Annotated[bool, typer.Option("--json", help="Print one JSON object for machines instead of text for people.")]
FailOn = Annotated[
    list[str] | None,
    typer.Option(metavar="warning|error|CODE", help="Exit with 1 for such findings too; repeatable."),
]
CatalogUrl = Annotated[str | None, typer.Option(help="A Rerun catalog server, rerun+http://HOST:PORT.")]
DatasetName = Annotated[str | None, typer.Option(help="Dataset on the catalog server.")]
CatalogToken = Annotated[
    str | None, typer.Option(envvar="TELECINE_CATALOG_TOKEN", help="Access token of the server; `ps` shows the flag.")
]
CatalogTokenFile = Annotated[Path | None, typer.Option(help="File with the access token of the catalog server.")]
FollowLinks = Annotated[
    bool, typer.Option("--follow-links", help="Read files that links and names in recordings lead to outside.")
]
Timeout = Annotated[
    float | None, typer.Option(min=1, metavar="SECONDS", help="Give up on a recording after so long without progress.")
]
Trusted = Annotated[
    list[Witness] | None,
    typer.Option("--trust", metavar="rows|meta|video", help="Whom to believe where these disagree; repeatable."),
]
Recover = Annotated[bool, typer.Option("--recover", help="Read damaged files up to their last whole message.")]


def sources_of(paths: list[str] | None, catalog_url: str | None, dataset_name: str | None) -> list[str]:
    """Paths, and the address of the dataset on a catalog server. Raises: typer.BadParameter."""
    where = list(paths or [])
    if dataset_name is not None and catalog_url is None:
        raise typer.BadParameter("--dataset-name needs --catalog-url")
    if catalog_url is not None:
        if dataset_name is None and "/dataset/" not in catalog_url:
            raise typer.BadParameter("--catalog-url needs --dataset-name NAME")
        from telecine.sources.rrd.catalog import dataset_url

        where.append(catalog_url if dataset_name is None else dataset_url(catalog_url, dataset_name))
    if not where:
        raise typer.BadParameter("no recordings given; name files, folders, or --catalog-url with --dataset-name")
    return where
