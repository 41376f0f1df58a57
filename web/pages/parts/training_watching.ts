// A job while it goes on: how far it is, what is left, and the curves of its training.
import { api, page, word } from "./talking";
import { curve, type Line } from "./training_curves";

const EVERY = 2000;
/** Milliseconds that this machine's clock is ahead of the service's. */
const ahead = typeof page["now"] === "number" ? Date.now() - page["now"] * 1000 : 0;

interface Job {
  state: string;
  started: string | null;
  progress: { done: number; total: number; note: string } | null;
}

interface Entry {
  event?: string;
  step?: number;
  [name: string]: unknown;
}

interface Course {
  networks: number;
  steps: number;
  minutes: number | null;
  members: { name: string; lines: Entry[] }[];
}

const NO_LOSS = new Set(["event", "step", "learning_rate"]);
const BEST = ["dice", "auroc", "balanced_accuracy", "accuracy", "c_index", "map", "f1", "mae", "psnr"];
/** How notes of the command line begin, and what is said in their place: they are English, and some name folders. */
const NOTES: [string, string][] = [
  ["reading", "live.reading"],
  ["preparing", "live.preparing"],
  ["train", "live.train"],
  ["schedule", "live.train"],
  ["listing", "live.listing"],
  ["check", "live.checking"],
  ["measuring", "live.measuring"],
  ["candidate", "live.release"],
  ["explaining", "live.report"],
];

/** Follows a job until it has ended; of one that has, its curves are drawn once. */
export async function watch(job: string, state: string): Promise<void> {
  const goes = state === "queued" || state === "running";
  const bar = document.getElementById("bar") as HTMLProgressElement | null;
  if (!goes) {
    bar?.remove();
    if (document.getElementById("curves")) draw(await api<Course>("GET", `/jobs/${job}/course`));
    return;
  }
  for (;;) {
    if (await look(job, bar)) return;
    await new Promise((next) => setTimeout(next, EVERY));
  }
}

/** One look; true when there is nothing more to wait for. */
async function look(job: string, bar: HTMLProgressElement | null): Promise<boolean> {
  try {
    const now = await api<Job>("GET", `/jobs/${job}`);
    if (now.state !== "queued" && now.state !== "running") {
      location.reload();
      return true;
    }
    const course = document.getElementById("curves") ? await api<Course>("GET", `/jobs/${job}/course`) : null;
    show(now, course, bar);
  } catch {
    say("note", word("live.lost"));
  }
  return false;
}

function show(now: Job, course: Course | null, bar: HTMLProgressElement | null): void {
  const share = course && course.members.length ? done(course) : null;
  if (bar && share !== null) [bar.max, bar.value] = [1, share];
  else if (bar && now.progress?.total) [bar.max, bar.value] = [Math.max(now.progress.total, 1), now.progress.done];
  const note = now.progress?.note ?? "";
  say("note", word(now.state === "queued" ? "waits" : (NOTES.find(([begins]) => note.startsWith(begins))?.[1] ?? "live.work")));
  const minutes = course && now.started ? left(now.started, course, share) : null;
  say("left", minutes === null ? "" : minutes < 1 ? word("live.soon") : word("live.left", { n: Math.ceil(minutes) }));
  if (course) draw(course);
}

function last(lines: Entry[]): number {
  return Math.max(0, ...lines.map((one) => one.step ?? 0));
}

/** Share of the steps of all networks that were taken; a schedule may have been shortened on the way. */
function done(course: Course): number {
  const taken = course.members.map((one, at) => (at < course.members.length - 1 ? 1 : Math.min(1, last(one.lines) / Math.max(planned(course, one.lines), 1))));
  return taken.reduce((sum, one) => sum + one, 0) / Math.max(course.networks, 1);
}

function planned(course: Course, lines: Entry[]): number {
  const changed = lines.filter((one) => one.event === "schedule" && typeof one["to"] === "number").at(-1);
  return changed ? Number(changed["to"]) : course.steps;
}

/** Minutes: by the plan until some of it is done, then by how fast it went. */
function left(started: string, course: Course, share: number | null): number | null {
  const spent = (Date.now() - ahead - Date.parse(started)) / 60000;
  const byPlan = course.minutes === null ? null : Math.max(0, course.minutes - spent);
  if (share === null || share < 0.1) return byPlan;
  return Math.max(spent * (1 / share - 1), 0);
}

function draw(course: Course): void {
  const place = document.getElementById("curves");
  if (!place || !course.members.length) return;
  const metric = shownMetric(course);
  const losses = course.members.map((one) => line(one.lines, "loss", lossOf));
  const validation = metric ? course.members.map((one) => line(one.lines, "validation", (entry) => Number(entry[metric]))) : [];
  const drawn = [curve(word("live.loss"), losses), metric ? curve(word("live.validation", { metric: titled(metric) }), validation) : null];
  place.replaceChildren(...drawn.filter((one): one is HTMLElement => one !== null));
  say("said", told(course, losses, metric, validation));
}

function told(course: Course, losses: Line[], metric: string, validation: Line[]): string {
  const at = course.members.length - 1;
  const lines = course.members[at]?.lines ?? [];
  const value = (line: Line | undefined): string => line?.at(-1)?.[1].toPrecision(3) ?? "–";
  const measured = metric ? `${titled(metric)} ${value(validation.filter((one) => one.length).at(-1))}` : "";
  return word("live.said", { n: at + 1, all: course.networks, step: last(lines), steps: planned(course, lines), loss: value(losses.at(-1)), metric: measured });
}

function line(lines: Entry[], event: string, of: (entry: Entry) => number): Line {
  return lines
    .filter((one) => one.event === event && typeof one.step === "number")
    .map((one): [number, number] => [one.step ?? 0, of(one)])
    .filter(([, value]) => Number.isFinite(value));
}

/** Of several losses the sum: each network of a pair has its own. */
function lossOf(entry: Entry): number {
  const found = Object.entries(entry).filter(([name, value]) => !NO_LOSS.has(name) && typeof value === "number");
  return found.length ? found.reduce((sum, [, value]) => sum + Number(value), 0) : Number.NaN;
}

function shownMetric(course: Course): string {
  const entry = course.members.flatMap((one) => one.lines).find((one) => one.event === "validation") ?? {};
  const names = Object.keys(entry).filter((name) => name !== "event" && name !== "step" && typeof entry[name] === "number");
  return BEST.find((name) => names.includes(name)) ?? names[0] ?? "";
}

/** A metric's name for people. */
function titled(metric: string): string {
  return ((page["metrics"] ?? {}) as Record<string, string>)[metric] ?? metric;
}

function say(id: string, text: string): void {
  const place = document.getElementById(id);
  if (place && place.textContent !== text) place.textContent = text;
}
