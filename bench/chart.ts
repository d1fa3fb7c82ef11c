/**
 * Line charts as SVG, by Vega-Lite, without a browser.
 *
 * @module
 */

import * as vega from "vega";
import { compile, type TopLevelSpec } from "vega-lite";

/** One measured value. */
export interface Point {
  /** The line that it is on. */
  readonly series: string;
  readonly x: number;
  readonly y: number;
}

/** A chart with a logarithmic x axis. */
export interface Chart {
  readonly title: string;
  /** Where, when and how it was measured. */
  readonly subtitle: string;
  readonly xTitle: string;
  readonly yTitle: string;
  readonly yScale: "linear" | "log";
  readonly points: readonly Point[];
}

/** Draws a chart. */
export async function draw(chart: Chart): Promise<string> {
  const { spec } = compile(specification(chart));
  const view = new vega.View(vega.parse(spec), { renderer: "none" });
  return await view.toSVG();
}

function specification(chart: Chart): TopLevelSpec {
  const { title, subtitle, xTitle, yTitle, yScale, points } = chart;
  return {
    data: { values: [...points] },
    title: { text: title, subtitle, anchor: "start", offset: 12 },
    width: 520,
    height: 300,
    // Without it the text is unreadable on dark pages.
    background: "white",
    padding: 16,
    mark: { type: "line", point: true, strokeWidth: 2 },
    encoding: {
      x: axis("x", xTitle, "log"),
      y: axis("y", yTitle, yScale),
      color: {
        field: "series",
        type: "nominal",
        title: null,
        sort: [...new Set(points.map(({ series }) => series))],
        scale: { scheme: "tableau10" },
        legend: { labelLimit: 0 },
      },
    },
    config: { font: "sans-serif", view: { stroke: null } },
  };
}

interface Axis {
  readonly field: string;
  readonly type: "quantitative";
  readonly title: string;
  readonly scale: { readonly type: "linear" | "log" };
  readonly axis: { readonly format: string; readonly tickCount: number };
}

function axis(field: "x" | "y", title: string, scale: "linear" | "log"): Axis {
  return {
    field,
    type: "quantitative",
    title,
    scale: { type: scale },
    axis: { format: ",~g", tickCount: 5 },
  };
}
