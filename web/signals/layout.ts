// Which lead lies where: each below the other, or the standard sheet of three rows of four leads and a rhythm strip.
import type { Lead } from "./types";

const SHEET = [
  ["I", "aVR", "V1", "V4"],
  ["II", "aVL", "V2", "V5"],
  ["III", "aVF", "V3", "V6"],
];
const RHYTHM = "II";
/** Seconds of one column of the sheet; less where the recording is shorter than four of them, and no less than this. */
const COLUMN = 2.5;
const SHORTEST = 1;

/** A lead on a row of the paper between two moments, in seconds. */
export interface Stretch {
  lane: number;
  lead: number;
  from: number;
  to: number;
}

export interface Layout {
  lanes: number;
  /** What lies on the paper between two moments. */
  stretches(from: number, to: number): Stretch[];
}

/** Every lead on a row of its own. */
export function inRows(leads: readonly Lead[], seconds: number): Layout {
  return {
    lanes: leads.length,
    stretches: (from, to) =>
      leads.map((_, lead) => ({ lane: lead, lead, from: Math.max(0, from), to: Math.min(seconds, to) })),
  };
}

/** The sheet that readers of ECGs know; null where a lead of it is missing, or so little is recorded (one beat). */
export function onSheet(leads: readonly Lead[], seconds: number): Layout | null {
  const places = SHEET.map((row) => row.map((name) => leads.findIndex((one) => one.name === name)));
  const rhythm = leads.findIndex((one) => one.name === RHYTHM);
  if (places.flat().includes(-1) || seconds < 4 * SHORTEST) return null;
  const span = Math.min(COLUMN, seconds / 4);
  return {
    lanes: places.length + 1,
    stretches(from, to) {
      const found: Stretch[] = [];
      const [begin, end] = [Math.max(0, from), Math.min(seconds, to)];
      for (let column = Math.floor(begin / span); column * span < end; column++)
        places.forEach((row, lane) => {
          const lead = row[column % row.length] ?? 0;
          found.push({ lane, lead, from: column * span, to: Math.min((column + 1) * span, seconds) });
        });
      return [...found, { lane: places.length, lead: rhythm, from: begin, to: end }];
    },
  };
}
