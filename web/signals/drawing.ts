// Draws ECG paper: lines of 1 and 5 mm, traces true to their samples, the shade of an explanation, marks of a measure.
import type { Layout, Stretch } from "./layout";
import type { Scale } from "./scaling";
import { sampleOf } from "./source";
import type { Group, Heat, Mark, Piece } from "./types";

export interface Colours {
  fine: string;
  bold: string;
  trace: string;
  heat: string;
  mark: string;
  ground: string;
}

/** What is on the screen. Lengths are CSS pixels where they are not said to be mm. */
export interface Sheet {
  group: Group;
  pieces: readonly Piece[];
  layout: Layout;
  scales: readonly Scale[];
  heat: Heat | null;
  marks: readonly Mark[];
  /** Seconds at the left edge. */
  begin: number;
  width: number;
  /** mm of a row. */
  lane: number;
  /** Pixels of a mm. */
  scale: number;
  /** mm of a second. */
  speed: number;
}

const BAR = 2;
const LABEL = "600 13px system-ui, sans-serif";

export function draw(pen: CanvasRenderingContext2D, sheet: Sheet, colours: Colours): void {
  const height = heightOf(sheet);
  pen.fillStyle = colours.ground;
  pen.fillRect(0, 0, sheet.width, height);
  const end = sheet.begin + sheet.width / perSecond(sheet);
  const stretches = sheet.layout.stretches(sheet.begin, end);
  if (sheet.heat) for (const one of stretches) shade(pen, sheet, one, colours);
  lines(pen, sheet, height, colours);
  for (const one of stretches) trace(pen, sheet, one, colours);
  for (const one of stretches) label(pen, sheet, one, colours);
  for (const one of sheet.marks) mark(pen, sheet, one, colours);
}

export function heightOf(sheet: Pick<Sheet, "layout" | "lane" | "scale">): number {
  return sheet.layout.lanes * sheet.lane * sheet.scale;
}

export function perSecond(sheet: Pick<Sheet, "speed" | "scale">): number {
  return sheet.speed * sheet.scale;
}

/** Where a moment lies. */
export function xOf(sheet: Sheet, seconds: number): number {
  return (seconds - sheet.begin) * perSecond(sheet);
}

/** Where a value of a lead lies. */
function yOf(sheet: Sheet, lane: number, lead: number, value: number): number {
  const { mm, middle } = sheet.scales[lead] ?? { mm: 1, middle: 0 };
  return ((lane + 0.5) * sheet.lane - (value - middle) * mm) * sheet.scale;
}

function lines(pen: CanvasRenderingContext2D, sheet: Sheet, height: number, colours: Colours): void {
  const before = sheet.begin * sheet.speed;
  const wide = sheet.width / sheet.scale;
  for (const every of sheet.scale >= 2 ? [1, 5] : [5]) {
    pen.beginPath();
    for (let mm = Math.ceil(before / every) * every; mm <= before + wide; mm += every) {
      const x = (mm - before) * sheet.scale;
      pen.moveTo(x, 0);
      pen.lineTo(x, height);
    }
    for (let mm = 0; mm * sheet.scale <= height; mm += every) {
      pen.moveTo(0, mm * sheet.scale);
      pen.lineTo(sheet.width, mm * sheet.scale);
    }
    pen.strokeStyle = every === 5 ? colours.bold : colours.fine;
    pen.lineWidth = every === 5 ? 1 : 0.5;
    pen.stroke();
  }
}

function trace(pen: CanvasRenderingContext2D, sheet: Sheet, one: Stretch, colours: Colours): void {
  const { rate } = sheet.group;
  const last = Math.min(sheet.group.samples - 1, Math.ceil(one.to * rate));
  const right = Math.ceil((sheet.begin + sheet.width / perSecond(sheet)) * rate) + 1;
  const left = Math.floor(sheet.begin * rate) - 1;
  const x = xOf(sheet, one.from);
  pen.save();
  pen.beginPath();
  pen.rect(x, 0, xOf(sheet, one.to) - x, heightOf(sheet));
  pen.clip();
  pen.beginPath();
  let isDown = false;
  for (let number = Math.max(0, left, Math.floor(one.from * rate)); number <= Math.min(last, right); number++) {
    const value = sampleOf(sheet.pieces, one.lead, number);
    if (Number.isNaN(value)) isDown = false;
    else {
      const [at, down] = [xOf(sheet, number / rate), yOf(sheet, one.lane, one.lead, value)];
      if (isDown) pen.lineTo(at, down);
      else pen.moveTo(at, down);
      isDown = true;
    }
  }
  pen.strokeStyle = colours.trace;
  pen.lineWidth = 1.3;
  pen.lineJoin = "round";
  pen.stroke();
  pen.restore();
}

/** The shade of what led to a finding, under the trace: as dense as it counted. */
function shade(pen: CanvasRenderingContext2D, sheet: Sheet, one: Stretch, colours: Colours): void {
  const heat = sheet.heat;
  if (!heat) return;
  const row = (heat.row + one.lead) * heat.samples;
  const ends = [Math.max(0, xOf(sheet, one.from)), Math.min(sheet.width, xOf(sheet, one.to))];
  pen.fillStyle = colours.heat;
  for (let x = ends[0] ?? 0; x < (ends[1] ?? 0); x += BAR) {
    const first = Math.floor((sheet.begin + x / perSecond(sheet)) * sheet.group.rate);
    const stop = Math.max(first + 1, Math.ceil((sheet.begin + (x + BAR) / perSecond(sheet)) * sheet.group.rate));
    let most = 0;
    for (let number = first; number < Math.min(stop, heat.samples); number++)
      most = Math.max(most, heat.values[row + number] ?? 0);
    if (!most) continue;
    pen.globalAlpha = (0.75 * most) / 255;
    pen.fillRect(x, one.lane * sheet.lane * sheet.scale, BAR, sheet.lane * sheet.scale);
  }
  pen.globalAlpha = 1;
}

function label(pen: CanvasRenderingContext2D, sheet: Sheet, one: Stretch, colours: Colours): void {
  const x = Math.max(0, xOf(sheet, one.from));
  const y = one.lane * sheet.lane * sheet.scale;
  pen.font = LABEL;
  pen.strokeStyle = colours.ground;
  pen.fillStyle = colours.trace;
  pen.lineWidth = 4;
  const name = sheet.group.leads[one.lead]?.name ?? "";
  pen.strokeText(name, x + 5, y + 15);
  pen.fillText(name, x + 5, y + 15);
  if (one.from <= sheet.begin) return;
  pen.beginPath();
  pen.moveTo(x, y + 3);
  pen.lineTo(x, y + 10);
  pen.strokeStyle = colours.trace;
  pen.lineWidth = 1.5;
  pen.stroke();
}

function mark(pen: CanvasRenderingContext2D, sheet: Sheet, one: Mark, colours: Colours): void {
  const x = xOf(sheet, one.sample / sheet.group.rate);
  const value = sampleOf(sheet.pieces, one.lead, one.sample);
  const top = one.lane * sheet.lane * sheet.scale;
  pen.strokeStyle = colours.mark;
  pen.fillStyle = colours.mark;
  pen.lineWidth = 1.5;
  pen.beginPath();
  pen.moveTo(x, top);
  pen.lineTo(x, top + sheet.lane * sheet.scale);
  pen.stroke();
  if (Number.isNaN(value)) return;
  pen.beginPath();
  pen.arc(x, yOf(sheet, one.lane, one.lead, value), 3.5, 0, 2 * Math.PI);
  pen.fill();
}
