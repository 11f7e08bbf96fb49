"""What every panel of our dashboards has: a title a manager understands, a unit, a description, and expressions."""

import itertools
from collections.abc import Mapping

import msgspec
from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as dashboard_builders
from grafana_foundation_sdk.builders import prometheus, stat, timeseries
from grafana_foundation_sdk.builders.dashboard import Dashboard, Row
from grafana_foundation_sdk.models import common, dashboard

SOURCE = dashboard.DataSourceRef(type_val="prometheus", uid="prometheus")


class Panel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One picture. `shows` maps a legend to its expression; `warn` and `bad` are where a stat changes colour."""

    title: str
    description: str
    unit: str  # Grafana's name: s, percentunit, short, bytes, reqps …
    shows: Mapping[str, str]
    kind: str = "lines"  # lines | stacked | number
    width: int = 8
    warn: int | float | None = None  # as written: 30 stays 30
    bad: int | float | None = None
    good_is_high: bool = False
    decimals: int | None = None


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row of panels under one question."""

    title: str
    panels: list[Panel]


class Board(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A YAML file of this folder."""

    title: str
    description: str
    sections: list[Section]


def board(uid: str, shown: Board) -> dashboard.Dashboard:
    """A whole dashboard."""
    built = (
        Dashboard(shown.title)
        .uid(uid)
        .description(shown.description)
        .tags(["reportq"])
        .editable()
        .refresh("10s")
        .time("now-1h", "now")
        .timezone(common.TimeZoneBrowser)
    )
    numbers = itertools.count(1)
    for section in shown.sections:
        built = built.with_row(Row(section.title).id(next(numbers)))
        for panel in section.panels:
            built = built.with_panel(_draw(panel).id(next(numbers)))
    return built.build()


def _draw(panel: Panel) -> stat.Panel | timeseries.Panel:
    drawn = stat.Panel() if panel.kind == "number" else timeseries.Panel()
    drawn = (
        drawn.title(panel.title)
        .description(panel.description)
        .unit(panel.unit)
        .datasource(SOURCE)
        .span(panel.width)
        .height(4 if panel.kind == "number" else 8)
        .thresholds(_thresholds(panel))
    )
    if panel.decimals is not None:
        drawn = drawn.decimals(panel.decimals)
    for number, (legend, expression) in enumerate(panel.shows.items()):
        query = prometheus.Dataquery().expr(expression).legend_format(legend).ref_id(chr(ord("A") + number))
        drawn = drawn.with_target(query.instant() if panel.kind == "number" else query.range())
    if isinstance(drawn, stat.Panel):
        options = common_builders.ReduceDataOptions().calcs(["lastNotNull"])
        return drawn.reduce_options(options).color_mode(common.BigValueColorMode.BACKGROUND)
    below = common_builders.VizLegendOptions()
    below = below.show_legend(True).placement(common.LegendPlacement.BOTTOM)
    below = below.display_mode(common.LegendDisplayMode.LIST)
    drawn = drawn.legend(below).fill_opacity(10).line_width(2).show_points(common.VisibilityMode.NEVER).min(0)
    if panel.kind == "stacked":
        drawn = drawn.fill_opacity(40)
        drawn = drawn.stacking(common_builders.StackingConfig().mode(common.StackingMode.NORMAL))
    if panel.warn is not None or panel.bad is not None:
        style = common_builders.GraphThresholdsStyleConfig().mode(common.GraphTresholdsStyleMode.DASHED)
        drawn = drawn.thresholds_style(style)
    return drawn


def _thresholds(panel: Panel) -> dashboard_builders.ThresholdsConfig:
    """Green, yellow, red; the other way round where much is good."""
    first, last = ("red", "green") if panel.good_is_high else ("green", "red")
    low, high = (panel.bad, panel.warn) if panel.good_is_high else (panel.warn, panel.bad)
    steps = [dashboard.Threshold(value=None, color=first)]
    if low is not None:
        steps.append(dashboard.Threshold(value=low, color="yellow"))
    if high is not None:
        steps.append(dashboard.Threshold(value=high, color=last))
    config = dashboard_builders.ThresholdsConfig()
    return config.mode(dashboard.ThresholdsMode.ABSOLUTE).steps(steps)
