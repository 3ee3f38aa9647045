"""The command ``torc site-rules``."""

import click


@click.command()
def site_rules() -> None:
    """Say what this site asks of specs."""
    click.echo("Every workflow has a project. No job uses sudo.")
