// What lies over the pictures: masks and boxes of the results of a series; taken away and brought back.
import { ask, api } from "../parts/talking";
import { boxesOf, colour, type Label, type Point, resultsOf, room, type Shown } from "./room";

interface MaskFacts {
  shape: [number, number, number];
  labels: { value: number; name: string; code: string | null }[];
  drawing: string | null;
}

/** Shows what releases say of a series; several masks are one, with labels of their own. */
export async function overlay(shown: Shown): Promise<void> {
  const { viewer, series } = shown;
  const labels: Label[] = [];
  let voxels: Uint8Array | null = null;
  for (const result of resultsOf(series).filter((one) => one.hasMask)) {
    const told = await api<MaskFacts>("GET", `/findings/${result.id}/mask`);
    const answer = await ask("GET", `/findings/${result.id}/mask/voxels`);
    const mine = new Uint8Array(await answer.arrayBuffer());
    const offset = labels.length;
    const values = new Map(told.labels.map((one, number) => [one.value, offset + number + 1]));
    for (const one of told.labels)
      labels.push({ value: values.get(one.value) ?? 0, name: one.name, colour: colour(labels.length) });
    voxels ??= new Uint8Array(mine.length);
    for (let at = 0; at < mine.length; at++) {
      const value = mine[at];
      if (value) voxels[at] = values.get(value) ?? 0;
    }
  }
  shown.labels = labels;
  if (voxels) viewer.mask({ labels, voxels });
  viewer.boxes(boxesOf(series));
  viewer.maskOpacity(opacity());
  if (room.without) hide(shown);
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
