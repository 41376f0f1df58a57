// Boxes over the pictures: shown in every plane, drawn and changed on the frames.
import { apply, inverse } from "./geometry";
import type { History } from "./history";
import type { Pane } from "./pane";
import type { Source } from "./source";
import type { Box, Point } from "./types";

const NEAR = 9;

/** Rows and columns of a box on a frame: top, left, bottom, right; half-open. */
type Edges = [number, number, number, number];

/** What the pointer took hold of: which of the four edges move. */
interface Held {
  box: Box;
  moves: [boolean, boolean, boolean, boolean];
  from: [number, number];
  before: Box[];
}

/** The boxes of a series. */
export class BoxStore {
  list: Box[] = [];
  selected: string | null = null;
  /** What boxes that are drawn next are called. */
  next = { label: "", colour: "#ffd54a" };
  private held: Held | null = null;
  private made = 0;

  constructor(
    private readonly source: Source,
    private readonly history: History,
  ) {}

  give(list: Box[]): void {
    this.list = list.map(copy);
    this.selected = null;
    this.history.forget("boxes");
  }

  read(): Box[] {
    return this.list.map(copy);
  }

  paint(pane: Pane, context: CanvasRenderingContext2D): void {
    for (const box of this.list) {
      const edges = edgesOn(pane, box);
      if (!edges) continue;
      const [top, left, bottom, right] = edges;
      const corners = [[top, left], [top, right], [bottom, right], [bottom, left]].map(([row, col]) =>
        pane.placeOf([(row as number) - 0.5, (col as number) - 0.5]),
      );
      context.beginPath();
      for (const corner of corners) context.lineTo(...corner);
      context.closePath();
      context.lineWidth = box.id === this.selected ? 3 : 1.5;
      context.strokeStyle = box.colour;
      context.stroke();
      this.name(context, box, corners[0] as [number, number]);
    }
  }

  /** Takes hold of a box's edge, corner or inside, else begins another; places are rows and columns. */
  down(pane: Pane, pixel: [number, number]): void {
    const before = this.read();
    const found = this.find(pane, pixel);
    if (found) {
      this.selected = found.box.id;
      this.held = { ...found, from: pixel, before };
      return;
    }
    const [row, col] = this.within(pixel);
    this.made += 1;
    const id = `drawn-${this.made}-${Math.random().toString(36).slice(2, 8)}`;
    const box: Box = { id, start: [pane.slice, row, col], stop: [pane.slice + 1, row + 1, col + 1], ...this.next };
    this.list.push(box);
    this.selected = id;
    this.held = { box, moves: [false, false, true, true], from: pixel, before };
  }

  move(pixel: [number, number]): void {
    const { held } = this;
    if (!held) return;
    const origin = held.before.find((one) => one.id === held.box.id) ?? held.box;
    if (held.moves.every(Boolean)) this.shift(held.box, origin, pixel[0] - held.from[0], pixel[1] - held.from[1]);
    else this.stretch(held, pixel);
  }

  /** Ends a movement; a box without a size is none. */
  up(): void {
    const { held } = this;
    this.held = null;
    if (!held) return;
    this.list = this.list.filter((box) => box !== held.box || (box.stop[1] - box.start[1] > 1 && box.stop[2] - box.start[2] > 1));
    this.step(held.before);
  }

  cancel(): void {
    if (this.held) this.list = this.held.before;
    this.held = null;
  }

  /** Takes the selected box away; says whether there was one. */
  remove(): boolean {
    const before = this.read();
    this.list = this.list.filter((box) => box.id !== this.selected);
    if (this.list.length === before.length) return false;
    this.selected = null;
    this.step(before);
    return true;
  }

  /** Makes the selected box reach the frame that is shown. */
  reach(frame: number): boolean {
    const before = this.read();
    const box = this.list.find((one) => one.id === this.selected);
    if (!box) return false;
    box.start[0] = Math.min(box.start[0], frame);
    box.stop[0] = Math.max(box.stop[0], frame + 1);
    this.step(before);
    return true;
  }

  private step(before: Box[]): void {
    const after = this.read();
    if (JSON.stringify(before) === JSON.stringify(after)) return;
    const put = (list: Box[]) => () => (this.list = list.map(copy));
    this.history.did({ what: "boxes", undo: put(before), redo: put(after) });
  }

  private find(pane: Pane, [row, col]: [number, number]): Omit<Held, "from" | "before"> | null {
    const { right, down } = pane.transform();
    const near = [NEAR / Math.hypot(...down), NEAR / Math.hypot(...right)] as const;
    for (const box of [...this.list].reverse()) {
      const edges = edgesOn(pane, box);
      if (!edges) continue;
      const [top, left, bottom, rightmost] = edges.map((edge) => edge - 0.5) as Edges;
      if (row < top - near[0] || row > bottom + near[0] || col < left - near[1] || col > rightmost + near[1]) continue;
      const moves: Held["moves"] = [
        Math.abs(row - top) <= near[0],
        Math.abs(col - left) <= near[1],
        Math.abs(row - bottom) <= near[0],
        Math.abs(col - rightmost) <= near[1],
      ];
      return { box, moves: moves.some(Boolean) ? moves : [true, true, true, true] };
    }
    return null;
  }

  private shift(box: Box, origin: Box, rows: number, columns: number): void {
    const limits = [this.source.description.rows, this.source.description.columns];
    [rows, columns].forEach((by, i) => {
      const axis = (i + 1) as 1 | 2;
      const whole = Math.min((limits[i] as number) - origin.stop[axis], Math.max(-origin.start[axis], Math.round(by)));
      box.start[axis] = origin.start[axis] + whole;
      box.stop[axis] = origin.stop[axis] + whole;
    });
  }

  private stretch({ box, moves }: Held, pixel: [number, number]): void {
    const place = this.within(pixel);
    for (const axis of [1, 2] as const) {
      const at = place[axis - 1] as number;
      if (moves[axis - 1]) box.start[axis] = Math.min(at, box.stop[axis] - 1);
      else if (moves[axis + 1]) box.stop[axis] = Math.max(at + 1, box.start[axis] + 1);
    }
  }

  private within([row, col]: [number, number]): [number, number] {
    const { rows, columns } = this.source.description;
    return [Math.min(rows - 1, Math.max(0, Math.round(row))), Math.min(columns - 1, Math.max(0, Math.round(col)))];
  }

  private name(context: CanvasRenderingContext2D, box: Box, [x, y]: [number, number]): void {
    if (!box.label) return;
    context.font = "12px system-ui, sans-serif";
    context.fillStyle = "rgb(0 0 0 / 70%)";
    context.fillRect(x, y - 18, context.measureText(box.label).width + 8, 16);
    context.fillStyle = box.colour;
    context.fillText(box.label, x + 4, y - 6);
  }
}

function copy(box: Box): Box {
  return { ...box, start: [...box.start], stop: [...box.stop] };
}

/** Where a box lies on the slice that a pane shows; null where it does not. */
function edgesOn(pane: Pane, box: Box): Edges | null {
  if (pane.plane.name === "stack") {
    if (pane.slice < box.start[0] || pane.slice >= box.stop[0]) return null;
    return [box.start[1], box.start[2], box.stop[1], box.stop[2]];
  }
  const back = inverse(pane.plane.toVoxel);
  const corners = Array.from({ length: 8 }, (_, corner) =>
    apply(back, [0, 1, 2].map((i) => ((corner >> i) & 1 ? box.stop[i as 0] : box.start[i as 0]) - 0.5) as Point),
  );
  const low = [0, 1, 2].map((i) => Math.min(...corners.map((one) => one[i as 0])));
  const high = [0, 1, 2].map((i) => Math.max(...corners.map((one) => one[i as 0])));
  if (pane.slice < (low[0] as number) || pane.slice > (high[0] as number)) return null;
  return [low[1], low[2], high[1], high[2]].map((edge) => (edge as number) + 0.5) as Edges;
}
