"""`khach init`, `khach config check` and `khach config schema`."""

from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperCommand

from khach.cli.output import AsJson, emit, say
from khach.config_schema import FILES, config_schema
from khach.environment import load_environment
from khach.errors import ConfigError

config_app = typer.Typer(help="The retailer's configuration.", no_args_is_help=True)


class _WithTemplates(TyperCommand):
    """A command whose help lists the templates; they are read only when help is asked for."""

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """The templates, one line each, then the example."""
        from khach.init import template_lines

        with formatter.section("Templates"):
            formatter.write_dl(list(template_lines().items()))
        super().format_epilog(ctx, formatter)


def register(app: typer.Typer) -> None:
    """Add this group to the root."""
    example = "Example: khach init --from-template online_retail"
    app.command(epilog=example, cls=_WithTemplates)(init)
    app.add_typer(config_app, name="config", rich_help_panel=None)


def init(
    sandbox: Annotated[
        bool, typer.Option("--sandbox", help="The simulated retailer's configuration.")
    ] = False,
    from_template: Annotated[
        str | None, typer.Option("--from-template", metavar="NAME", help="A template by name.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite a configuration that exists.")
    ] = False,
    if_absent: Annotated[
        bool, typer.Option("--if-absent", help="Do nothing when a configuration exists.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write a commented configuration into $KHACH_CONFIG to start from."""
    from khach.init import initialise, is_initialised, template_names

    env = load_environment()
    if sandbox == (from_template is not None):
        raise ConfigError(
            "say which configuration to write",
            fix=f"--sandbox, or --from-template with one of {', '.join(template_names())}",
        )
    template = from_template or "sandbox"
    written = []
    if not (if_absent and is_initialised(env)):
        written = initialise(env, template, force=force)

    def render(console: Console) -> None:
        if written:
            console.print(f"wrote {len(written)} files of template {template} to {env.config}")
            console.print("next: khach config check, then khach run")

    emit(as_json, {"template": template, "folder": env.config, "written": written}, render)


@config_app.command("schema", epilog="Example: khach config schema settings > settings.schema.json")
def schema(
    file: Annotated[str, typer.Argument(metavar="|".join(FILES))],
    as_json: AsJson = False,  # noqa: ARG001 (it is JSON in any case)
) -> None:
    """The JSON schema of a configuration file, by which editors complete and check it."""
    emit(True, config_schema(load_environment(), file))


@config_app.command("check", epilog="Example: khach config check")
def check(as_json: AsJson = False) -> int:
    """Check every configuration file: file, line, key, and what would be right.

    Also writes dbt's vars file, so that `dbt build --vars "$(cat $KHACH_HOME/dbt_vars.yml)"`
    works by hand.
    """
    from khach.configuration import check_configuration, write_dbt_vars

    env = load_environment()
    mistakes = check_configuration(env)
    if not mistakes:
        write_dbt_vars(env)
    for mistake in mistakes:
        say(f"error: {mistake}")

    def render(console: Console) -> None:
        if not mistakes:
            console.print(f"{env.config} is valid; dbt's vars are in {env.dbt_vars}")

    document = {
        "is_valid": not mistakes,
        "mistakes": [mistake.as_dict() for mistake in mistakes],
        "dbt_vars": None if mistakes else env.dbt_vars,
    }
    emit(as_json, document, render)
    return 2 if mistakes else 0
