// Curves of a training as SVG, in the style of the report's figures; what they show is said in words beside them.
import { make } from "./dom";
import { word } from "./talking";

/** Steps and values of one network. */
export type Line = [number, number][];

const SVG = "http://www.w3.org/2000/svg";
const WIDE = 460;
const HIGH = 240;
const BOX = { left: 52, right: 14, top: 12, bottom: 34 };
const COLOURS = 7;

function svg(name: string, attributes: Record<string, string | number>, ...children: (Node | string)[]): SVGElement {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  element.append(...children);
  return element;
}

/** About four round numbers from low to high. */
function ticks(low: number, high: number): number[] {
  const rough = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find((one) => one * power >= rough) ?? 10);
  const first = Math.ceil(low / step - 1e-9);
  return Array.from({ length: Math.floor(high / step + 1e-9) - first + 1 }, (_, at) => Number(((first + at) * step).toPrecision(6)));
}

/** A figure with one line a network; null while there is nothing to draw. */
export function curve(title: string, lines: Line[]): HTMLElement | null {
  const points = lines.flat();
  if (!points.length) return null;
  const steps = Math.max(1, ...points.map(([step]) => step));
  const values = points.map(([, value]) => value);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const margin = (most - least || Math.abs(most) || 1) * 0.06;
  const [low, high] = [least - margin, most + margin];
  const x = (step: number): number => BOX.left + (step / steps) * (WIDE - BOX.left - BOX.right);
  const y = (value: number): number => HIGH - BOX.bottom - ((value - low) / (high - low)) * (HIGH - BOX.top - BOX.bottom);
  const drawn = svg("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, class: "plot", "aria-hidden": "true" }, ...axes(x, y, [steps, low, high]), ...lines.map((line, at) => path(line, at, x, y)));
  const legend = lines.length > 1 ? make("ul", { class: "legend" }, ...lines.flatMap((line, at) => (line.length ? [entry(at)] : []))) : null;
  const figure = make("figure", { class: "figure chart" }, make("figcaption", {}, title));
  figure.append(drawn, ...(legend ? [legend] : []));
  return figure;
}

type Scale = (value: number) => number;

function axes(x: Scale, y: Scale, [steps, low, high]: [number, number, number]): SVGElement[] {
  const across = ticks(low, high).flatMap((value) => [
    svg("line", { x1: BOX.left, x2: WIDE - BOX.right, y1: y(value), y2: y(value), class: "gridline" }),
    svg("text", { x: BOX.left - 7, y: y(value) + 4, "text-anchor": "end" }, String(value)),
  ]);
  const along = ticks(0, steps).map((step) => svg("text", { x: x(step), y: HIGH - BOX.bottom + 16, "text-anchor": "middle" }, String(step)));
  const base = svg("line", { x1: BOX.left, x2: WIDE - BOX.right, y1: HIGH - BOX.bottom, y2: HIGH - BOX.bottom, class: "axis" });
  return [...across, base, ...along, svg("text", { x: WIDE - BOX.right, y: HIGH - 3, "text-anchor": "end", class: "label" }, word("live.step"))];
}

function path(line: Line, at: number, x: Scale, y: Scale): SVGElement {
  const [first] = line;
  if (line.length === 1 && first) return svg("g", { class: `s${at % COLOURS}` }, svg("circle", { cx: x(first[0]), cy: y(first[1]), r: 3.5, class: "dot" }));
  const points = line.map(([step, value]) => `${x(step).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
  return svg("g", { class: `s${at % COLOURS}` }, svg("polyline", { points, class: "line" }));
}

function entry(at: number): HTMLElement {
  const key = svg("svg", { viewBox: "0 0 22 12", class: `key s${at % COLOURS}`, "aria-hidden": "true" }, svg("line", { x1: 0, x2: 22, y1: 6, y2: 6, class: "line" }));
  const item = make("li", {}, word("live.network", { n: at + 1 }));
  item.prepend(key);
  return item;
}
