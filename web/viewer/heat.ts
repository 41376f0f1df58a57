// A map of how much each place counted, from dark red over orange to white-yellow; where it is low, nothing is drawn.
import { Layer, type Palette } from "./layer";
import type { Source } from "./source";

/** Black-body colours, which also grow lighter for those who see no red. */
const STOPS: [number, [number, number, number]][] = [
  [0, [40, 0, 60]],
  [0.35, [170, 20, 70]],
  [0.65, [245, 110, 20]],
  [0.85, [255, 200, 60]],
  [1, [255, 255, 200]],
];

/** The map over the pictures. */
export class HeatStore {
  readonly layer: Layer;

  constructor(private readonly source: Source) {
    this.layer = new Layer(source, new Uint8ClampedArray(1024), false, true);
  }

  /** Another map, or none.
   *
   * @throws RangeError when it is not of the series' size.
   */
  give(map: Float32Array | Uint8Array | null, opacity: number): void {
    const { count, rows, columns } = this.source.description;
    if (map && map.length !== count * rows * columns)
      throw new RangeError(`the map has ${map.length} voxels, the series ${count * rows * columns}`);
    this.layer.grid = map instanceof Float32Array ? Uint8Array.from(map, (value) => Math.min(255, Math.max(0, value * 255))) : map;
    this.layer.visible = true;
    this.fade(opacity);
  }

  fade(opacity: number): void {
    this.layer.changed(paletteOf(opacity));
  }
}

function paletteOf(opacity: number): Palette {
  const palette: Palette = new Uint8ClampedArray(1024);
  for (let value = 0; value < 256; value++) {
    const part = value / 255;
    const alpha = Math.min(1, part * 1.6) * opacity * 255;
    palette.set([...between(part), alpha], value * 4);
  }
  return palette;
}

function between(part: number): [number, number, number] {
  const next = Math.max(1, STOPS.findIndex(([at]) => at >= part));
  const [low, from] = STOPS[next - 1] as (typeof STOPS)[number];
  const [high, to] = STOPS[next] as (typeof STOPS)[number];
  const share = (part - low) / (high - low);
  return [0, 1, 2].map((i) => from[i as 0] + (to[i as 0] - from[i as 0]) * share) as [number, number, number];
}
