// What lies over the pictures: masks and boxes of the results of a series; taken away and brought back.
import { ask, api } from "../parts/talking";
import { boxesOf, colour, type Label, type Missed, type Point, type Result, resultsOf, room, type Shown } from "./room";

interface MaskFacts {
  shape: [number, number, number];
  labels: { value: number; name: string; code: string | null }[];
  drawing: string | null;
}

/** Shows what releases say of a series, and what a reader drew in its place; several masks are one, with labels of
 * their own. */
export async function overlay(shown: Shown): Promise<void> {
  const { viewer, series } = shown;
  shown.labels = [];
  let voxels: Uint8Array | null = null;
  for (const result of resultsOf(series)) {
    if (result.hasMask) voxels = await laid(shown, `/findings/${result.id}/mask`, "", voxels);
    if (room.original) continue;
    for (const [name, drawing] of drawnBy(result))
      voxels = await laid(shown, `/findings/${result.id}/mask`, `?drawing=${drawing}`, voxels, name);
  }
  if (voxels) viewer.mask({ labels: shown.labels, voxels });
  viewer.boxes(boxesOf(series));
  viewer.maskOpacity(opacity());
  if (room.without) hide(shown);
}

/** What the newest reading drew: name of the structure and id of the drawing. */
export function drawnBy(result: Result): [string, string][] {
  const { amended, added } = result.reading ?? { amended: null, added: [] };
  const said = [...Object.entries(amended ?? {}), ...added.map((one): [string, Missed] => [one.concept, one])];
  return said.flatMap(([name, one]) => (one.drawing ? [[name, one.drawing]] : []));
}

/** Lays a mask over those before; one with a name is all that there is of that structure. */
async function laid(shown: Shown, mask: string, query: string, under: Uint8Array | null, name?: string): Promise<Uint8Array> {
  const told = await api<MaskFacts>("GET", `${mask}${query}`);
  const answer = await ask("GET", `${mask}/voxels${query}`);
  const mine = new Uint8Array(await answer.arrayBuffer());
  const labels = new Map<number, number>();
  for (const one of told.labels) {
    const label = name === undefined ? another(shown, one.name) : labelOf(shown, name);
    labels.set(one.value, label.value);
  }
  const voxels = under ?? new Uint8Array(mine.length);
  const instead = new Set(name === undefined ? [] : labels.values());
  for (let at = 0; at < mine.length; at++) {
    const value = mine[at];
    if (value) voxels[at] = labels.get(value) ?? 0;
    else if (instead.has(voxels[at] ?? 0)) voxels[at] = 0;
  }
  return voxels;
}

/** One more label: two releases may call what they found alike. */
function another(shown: Shown, name: string): Label {
  const label = { value: shown.labels.length + 1, name, colour: colour(shown.labels.length) };
  shown.labels.push(label);
  return label;
}

/** The label of a structure on the screen; one that nobody has drawn yet gets the next value and colour. */
export function labelOf(shown: Shown, name: string): Label {
  const known = shown.labels.find((one) => one.name === name);
  if (known) return known;
  const value = 1 + Math.max(0, ...shown.labels.map((one) => one.value));
  const label = { value, name, colour: colour(shown.labels.length) };
  shown.labels.push(label);
  return label;
}

/** Where a structure is largest: on the frame that has the most of it, its voxel nearest to the middle; null without one. */
export function largest(shown: Shown, name: string): Point | null {
  const value = shown.labels.find((one) => one.name === name)?.value;
  if (value === undefined) return null;
  const { rows, columns, count } = shown.viewer.description;
  const voxels = shown.viewer.readMask();
  let best: number[] = [];
  let on = 0;
  for (let frame = 0; frame < count; frame++) {
    const found: number[] = [];
    const from = frame * rows * columns;
    for (let at = 0; at < rows * columns; at++) if (voxels[from + at] === value) found.push(at);
    if (found.length > best.length) [best, on] = [found, frame];
  }
  if (!best.length) return null;
  const mean = (part: (at: number) => number): number => best.reduce((sum, at) => sum + part(at), 0) / best.length;
  const row = (at: number): number => Math.floor(at / columns);
  const [y, x] = [mean(row), mean((at) => at % columns)];
  const far = (at: number): number => (row(at) - y) ** 2 + ((at % columns) - x) ** 2;
  const nearest = best.reduce((one, other) => (far(other) < far(one) ? other : one));
  return [on, row(nearest), nearest % columns];
}

export function hide(shown: Shown): void {
  shown.viewer.maskVisible("all", false);
  shown.viewer.boxes([]);
  shown.viewer.heatVisible(false);
}

export function bring(shown: Shown): void {
  shown.viewer.maskVisible("all", true);
  shown.viewer.boxes(boxesOf(shown.series));
  shown.viewer.heatVisible(true);
}

export function opacity(): number {
  const slider = document.getElementById("opacity") as HTMLInputElement | null;
  return Number(slider?.value ?? 45) / 100;
}
