"""The verb `serve`: a page on this machine."""

import sys
from pathlib import Path

import click

from connectors.errors import ConfigError
from pipelines.cli.files import read_file
from pipelines.cli.options import FILE, common
from pipelines.cli.output import print_json, tell
from pipelines.cli.signals import Stop
from pipelines.config.pipeline import PipelineConfig
from pipelines.serve.server import serve_until
from pipelines.serve.site import Site, public_origin


@click.command(epilog="Example:  kartra-sync serve newsletter.yaml")
@click.argument("files", nargs=-1, required=True, type=FILE)
@click.option(
    "--port", default=8766, show_default=True, type=click.IntRange(0, 65535), help="0: any free one."
)
@click.option("--behind-proxy", metavar="URL", help="A proxy of yours hands on what comes to this address.")
@click.option("--user-header", default="", metavar="NAME", help="The header in which the proxy names people.")
@common
@click.pass_obj
def serve(
    stop: Stop,
    /,
    files: tuple[Path, ...],
    *,
    port: int,
    behind_proxy: str | None,
    user_header: str,
    as_json: bool,
) -> None:
    """Serve a page to this machine: what runs and waits, who did not get through, plans to approve.

    The address that is printed lets one browser in, once, and for a day. Names and addresses are masked until
    somebody asks, which is written down beside the pipeline. Ctrl-C ends it.
    """
    if user_header and not behind_proxy:
        raise click.UsageError("--user-header needs --behind-proxy: without a proxy anybody may write it")
    public = public_origin(behind_proxy) if behind_proxy else ""
    pipelines = _by_name([read_file(file) for file in files])

    def site_at(port: int) -> Site:
        return Site(
            pipelines,
            public or f"http://127.0.0.1:{port}",
            is_behind_proxy=bool(public),
            user_header=user_header,
        )

    def begun(site: Site) -> None:
        link = site.new_link()
        if as_json:
            print_json({"url": link})
            return
        click.echo(link)
        sys.stdout.flush()
        tell("open it in a browser; it works once, for a day. Ctrl-C ends the server")

    serve_until(stop.asked, port, site_at, begun)


def _by_name(configs: list[PipelineConfig]) -> dict[str, PipelineConfig]:
    found: dict[str, PipelineConfig] = {}
    for config in configs:
        if config.pipeline in found:
            raise ConfigError(
                f"{found[config.pipeline].path} and {config.path} have the same name,"
                f" {config.pipeline}: serve one of them"
            )
        found[config.pipeline] = config
    return found
