// What the modules of the study page share: what the server told, and the viewer that is open.
import type { Box, Label, Mask, Point, Viewer } from "../../viewer/index";
import { page } from "../parts/talking";

export interface Measure {
  value: number | null;
  unit: string;
}

export interface Finding {
  concept: string;
  status: "present" | "absent" | "measured" | "abstained";
  measures: Record<string, Measure>;
  place: { start: Point; stop: Point } | null;
}

/** Something that a release missed. */
export interface Missed {
  concept: string;
  comment: string;
  place?: { start: Point; stop: Point };
  /** Id of what the reader drew of it. */
  drawing?: string;
}

/** What was decided about a result last. */
export interface Decided {
  verdict: string;
  reason: string;
  amended: Record<string, { drawing?: string }> | null;
  added: Missed[];
  comment: string;
}

export interface Result {
  id: string;
  series: string;
  hasMask: boolean;
  /** Whether the release says where things are by their outline. */
  outlines: boolean;
  state: "answered" | "unavailable";
  reading: Decided | null;
  findings: Finding[];
}

export interface SeriesFacts {
  uid: string;
  modality: string;
  description: string;
  images: number;
  /** A recording, and no pictures. */
  signal: boolean;
}

export interface StudyFacts {
  study: string;
  state: string;
  mayAnswer: boolean;
  /** The site wants the pictures looked at before the suggestions are shown. */
  lookFirst: boolean;
  series: SeriesFacts[];
  results: Result[];
  earlier: { uid: string; date: string }[];
  viewerWords: Record<string, string>;
  signalWords: Record<string, string>;
}

export const facts = page as unknown as StudyFacts;

/** Colours of structures and boxes, as the figures have them. */
const COLOURS = ["#4aa8e8", "#f58a3c", "#35c495", "#e394c4", "#e3b341", "#86cdf7", "#a5a9e0"];

export function colour(number: number): string {
  return COLOURS[number % COLOURS.length] ?? "#4aa8e8";
}

/** The series on the screen and what lies over it. */
export interface Shown {
  series: string;
  viewer: Viewer;
  labels: Label[];
  /** Settled when what releases say lies over the pictures. */
  overlaid: Promise<void>;
}

/** A recording on the screen, in the place of the viewer. */
export interface Tracing {
  series: string;
  close(): void;
  /** Lays a map under the traces, null takes it away; gives words that say so. */
  heat(values: Uint8Array | null, shape?: [number, number, number]): string | null;
  /** Takes what releases say away, or brings it back. */
  hide(on: boolean): void;
}

let current: Shown | null = null;
let traced: Tracing | null = null;
let isWithout = false;

export const room = {
  shown(): Shown | null {
    return current;
  },
  show(next: Shown | null): void {
    current?.viewer.destroy();
    current = next;
    traced?.close();
    traced = null;
  },
  /** The recording that is open; null where pictures are. */
  tracing(): Tracing | null {
    return traced;
  },
  trace(next: Tracing): void {
    traced = next;
  },
  /** The series on the screen; empty where there is none. */
  series(): string {
    return current?.series ?? traced?.series ?? "";
  },
  /** Whether suggestions are hidden. */
  get without(): boolean {
    return isWithout;
  },
  set without(value: boolean) {
    isWithout = value;
  },
  /** Whether what releases drew is shown where a reader corrected it. */
  original: false,
  /** Whether they were ever hidden: a reading tells it. */
  beganWithout: false,
};

/** What the reader sees now; it is kept with every decision. */
export function seen(): Record<string, unknown> {
  return {
    series: room.series(),
    frame: current?.viewer.frame() ?? 0,
    layout: current?.viewer.layout() ?? "",
    window: current?.viewer.window() ?? null,
    ai_first: !room.beganWithout,
    language: document.documentElement.lang,
  };
}

export function resultsOf(series: string): Result[] {
  return facts.results.filter((one) => one.series === series && one.state === "answered");
}

export function resultOf(id: string): Result | undefined {
  return facts.results.find((one) => one.id === id);
}

/** Boxes of findings that have a place and no mask. */
export function boxesOf(series: string): Box[] {
  return resultsOf(series)
    .filter((one) => !one.hasMask)
    .flatMap((one) =>
      one.findings.flatMap((finding, number) =>
        finding.place && finding.status === "present"
          ? [{ id: `${one.id}:${number}`, ...finding.place, label: finding.concept, colour: colour(number) }]
          : [],
      ),
    );
}

export type { Box, Label, Mask, Point, Viewer };
