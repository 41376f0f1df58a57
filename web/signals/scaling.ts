// How many millimetres of paper one unit of a lead takes, and where its middle is.
import type { Lead, Piece, Setting } from "./types";

/** mV of one unit, of those that are voltages. */
const VOLTS: Record<string, number> = { V: 1000, mV: 1, uV: 0.001, nV: 0.000001 };
/** Part of a row that the largest wave may fill. */
const FULL = 0.85;
const SQUARE = 5;
/** mm of the widest row. */
const WIDEST = 35;
/** mm: a wave that is smaller at the usual gain is no wave that one would read so. */
const SEEN = 2;

export interface Scale {
  /** mm for one unit of the lead. */
  mm: number;
  /** Its value on the middle of its row. */
  middle: number;
  low: number;
  high: number;
}

export function isVoltage(lead: Lead): boolean {
  return lead.unit in VOLTS;
}

/** A voltage in mV; null where it is none. */
export function inMillivolts(value: number, lead: Lead): number | null {
  const volts = VOLTS[lead.unit];
  return volts === undefined ? null : value * volts;
}

/** mm of a row of the paper, in large squares: as many as there is room for, within reason; waves may leave their row. */
export function laneOf(setting: Setting, room: number): number {
  const least = Math.max(15, 1.5 * (setting.gain ?? 0));
  return SQUARE * Math.ceil(Math.max(least, Math.min(WIDEST, room - SQUARE)) / SQUARE);
}

/** The scale of each lead on rows of `lane` mm. Leads of one unit have one scale; where the file says none, each has its own. */
export function scales(leads: readonly Lead[], pieces: readonly Piece[], setting: Setting, lane: number): Scale[] {
  const seen = leads.map((_, lead) => ends(pieces, lead));
  const widest = (unit: string): number =>
    Math.max(...leads.map((one, at) => (one.unit === unit ? (seen[at]?.[2] ?? 0) - (seen[at]?.[0] ?? 0) : 0)));
  return leads.map((lead, at) => {
    const [low, median, high] = seen[at] ?? [0, 0, 0];
    const volts = VOLTS[lead.unit];
    if (setting.gain !== null && volts !== undefined) return { mm: volts * setting.gain, middle: median, low, high };
    const span = lead.unit ? widest(lead.unit) : high - low;
    return { mm: span > 0 ? (FULL * lane) / span : 1, middle: (low + high) / 2, low, high };
  });
}

/** Whether leads can be read at a gain in mm for a mV: voltages, and not as small as those of an EEG. */
export function suitsGain(leads: readonly Lead[], pieces: readonly Piece[]): boolean {
  return leads.some((lead, at) => {
    const [low, , high] = ends(pieces, at);
    return isVoltage(lead) && (high - low) * (VOLTS[lead.unit] ?? 0) * 10 > SEEN;
  });
}

/** The smallest, the middle and the largest value of a lead. */
function ends(pieces: readonly Piece[], lead: number): [number, number, number] {
  const values = pieces.flatMap((piece) => Array.from(piece.leads[lead] ?? []).filter((one) => !Number.isNaN(one)));
  if (!values.length) return [0, 0, 0];
  values.sort((one, other) => one - other);
  return [values[0] ?? 0, values[values.length >> 1] ?? 0, values[values.length - 1] ?? 0];
}
