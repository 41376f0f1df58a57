// What the server says of a recording, and what is shown of it.

export interface Filters {
  low: number | null;
  high: number | null;
  notch: number | null;
}

export interface Lead {
  name: string;
  /** UCUM; empty where the file does not say. */
  unit: string;
  filters: Filters;
}

/** Leads that were sampled together. */
export interface Group {
  number: number;
  label: string;
  original: boolean;
  /** Hz. */
  rate: number;
  samples: number;
  /** Seconds from the beginning of the recording. */
  start: number;
  leads: Lead[];
}

export interface Recording {
  revision: number;
  groups: Group[];
}

/** Samples of every lead from number `first` on. */
export interface Piece {
  first: number;
  leads: Float32Array[];
}

/** What led to a finding: a byte for each sample of each lead, 255 where it counted most. */
export interface Heat {
  values: Uint8Array;
  /** Of each lead of the group, the row of `values` that is its. */
  row: number;
  samples: number;
}

/** A moment on a lead, in samples. */
export interface Mark {
  lane: number;
  lead: number;
  sample: number;
}

/** How a recording lies on the paper. */
export interface Setting {
  /** mm for a second. */
  speed: number;
  /** mm for a mV; null: the largest wave fills its row. */
  gain: number | null;
  layout: "standard" | "rows";
}
