"""Everything on one terminal: `up`, the demo, and the sandbox alone."""

import sys
import threading

import click

from anchor.cli.group import EXIT_FAILED, group, until_signalled


@group.command("up", with_appcontext=False)
def up() -> None:
    """Run web, workers, scheduler and stream runner under this terminal."""
    from anchor.up import up as run

    run()


@group.command("demo", with_appcontext=False)
@click.option("--once", is_flag=True, help="End after it; status 0 if all was completed.")
def demo(*, once: bool) -> None:
    """Run everything in development mode, and all ways that money goes on it."""
    from anchor import config, development
    from anchor.up import demo as run

    log_file = development.folder(config.environment()) / "demo.log"
    sys.exit(0 if run(once=once, log=log_file) else EXIT_FAILED)


@group.command("sandbox", with_appcontext=False)
def sandbox() -> None:
    """Run the sandbox network and its bank of this folder, and nothing else."""
    from anchor import config, development, keeping

    root = development.folder(config.environment()) / "sandbox"
    ready = keeping.use(root, "anchor.sandbox.keeper", config.TESTNET_PASSPHRASE)
    click.echo(f"{ready['url']} is a Stellar test network, {ready['url']}/bank its bank.")
    stop = threading.Event()
    until_signalled(stop)
    stop.wait()
