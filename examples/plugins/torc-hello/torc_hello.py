"""The command ``torc hello``."""

import click


@click.command()
@click.argument("name", default="world")
def hello(name: str) -> None:
    """Greet NAME."""
    click.echo(f"Hello, {name}!")
