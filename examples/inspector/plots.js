// Lines over time, by uPlot, which the page loads as a script of its own.

import { time } from "./format.js";

const { uPlot } = globalThis;

const HEIGHT = 130;

/** The steps between two lines of the grid: whole numbers. */
const STEPS = Array.from(
  { length: 39 },
  (_, index) => [1, 2, 5][index % 3] * 10 ** Math.floor(index / 3),
);

const color = (name) =>
  getComputedStyle(document.documentElement).getPropertyValue(name);

/** A plot of one line, which is drawn anew for another width and for dark or light. */
export class Plot {
  #target;
  #unit;
  #plot = null;
  #data = [[], []];

  /**
   * @param {HTMLElement} target
   * @param {(value: number) => string} unit
   */
  constructor(target, unit) {
    this.#target = target;
    this.#unit = unit;
    new ResizeObserver(() => this.#resize()).observe(target);
    matchMedia("(prefers-color-scheme: dark)")
      .addEventListener("change", () => this.#create());
  }

  /** Draws values by their times, in seconds since 1970. */
  draw(times, values) {
    this.#data = [times, values];
    if (this.#plot === null) this.#create();
    else this.#plot.setData(this.#data);
  }

  #resize() {
    const width = this.#target.clientWidth;
    if (width === 0) return;
    if (this.#plot === null) this.#create();
    else this.#plot.setSize({ width, height: HEIGHT });
  }

  #create() {
    this.#plot?.destroy();
    this.#plot = null;
    const width = this.#target.clientWidth;
    if (width === 0) return;
    const axis = {
      stroke: color("--quiet"),
      font: "12px system-ui, sans-serif",
      grid: { stroke: color("--line"), width: 1 },
      ticks: { show: false },
    };
    this.#plot = new uPlot(
      {
        width,
        height: HEIGHT,
        legend: { show: false },
        cursor: { show: false },
        scales: { y: { range: (_plot, _low, high) => [0, topOf(high)] } },
        axes: [
          {
            ...axis,
            space: 90,
            size: 28,
            values: (_plot, seconds) =>
              seconds.map((second) => time(second * 1000)),
          },
          {
            ...axis,
            size: 72,
            space: 28,
            incrs: STEPS,
            values: (_plot, values) => values.map(this.#unit),
          },
        ],
        series: [{}, {
          stroke: color("--accent"),
          fill: color("--fill"),
          width: 2,
          points: { show: false },
        }],
      },
      this.#data,
      this.#target,
    );
  }
}

/** Leaves some room above the line. */
function topOf(high) {
  return Math.max(high * 1.15, 4);
}
