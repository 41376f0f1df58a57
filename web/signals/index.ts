// The one door to recordings: pages import nothing below this folder but through here.
export { type Fetch, Source } from "./source";
export { inMillivolts, isVoltage } from "./scaling";
export type { Group, Heat, Lead, Recording, Setting } from "./types";
export { type Measured, SignalView } from "./view";
