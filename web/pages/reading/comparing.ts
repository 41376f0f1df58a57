// An earlier study of the patient beside this one; scrolling in one scrolls the other to the same height.
import type { Description, Viewer } from "../../viewer/index";
import { byId } from "../parts/dom";
import { api, tell, trying } from "../parts/talking";
import { facts, room } from "./room";

interface SeriesOf {
  uid: string;
  modality: string;
  made: boolean;
  instances: number;
}

let beside: Viewer | null = null;
let unlink: (() => void)[] = [];

const buttons = [...document.querySelectorAll<HTMLElement>("button[data-compare]")];

for (const button of buttons)
  button.addEventListener("click", () => {
    const isOn = button.getAttribute("aria-pressed") === "true";
    end();
    if (!isOn) void trying(() => begin(button));
  });

/** Takes the earlier study away. */
export function end(): void {
  unlink.forEach((stop) => stop());
  unlink = [];
  beside?.destroy();
  beside = null;
  byId("compared").hidden = true;
  for (const button of buttons) button.setAttribute("aria-pressed", "false");
}

async function begin(button: HTMLElement): Promise<void> {
  const study = button.dataset["compare"] ?? "";
  const shown = room.shown();
  if (room.tracing()) tell(facts.signalWords["no_compare"] ?? "", "bad");
  const series = shown && (await alike(study, shown.series));
  if (!shown || !series) return;
  const { openViewer } = await import("../../viewer/index");
  const place = byId("compared");
  place.hidden = false;
  beside = await openViewer(place, { study, series, words: facts.viewerWords });
  button.setAttribute("aria-pressed", "true");
  unlink = [follow(shown.viewer, beside), follow(beside, shown.viewer)];
  step(shown.viewer, beside);
}

/** The series of another study that is most like one of ours: of its modality, with the most images. */
async function alike(study: string, series: string): Promise<string | undefined> {
  const { all_series: found } = await api<{ all_series: SeriesOf[] }>("GET", `/studies/${study}`);
  const modality = facts.series.find((one) => one.uid === series)?.modality;
  const fit = found.filter((one) => !one.made && one.modality === modality);
  return fit.sort((a, b) => b.instances - a.instances)[0]?.uid;
}

function follow(leader: Viewer, follower: Viewer): () => void {
  return leader.on("frame", () => step(leader, follower));
}

/** To the same height in millimetres where both have one, else to the same part of the stack. */
function step(leader: Viewer, follower: Viewer): void {
  const [from, to] = [leader.description, follower.description];
  const height = heightOf(from, leader.frame());
  const index =
    height === null || heightOf(to, 0) === null
      ? Math.round((leader.frame() / Math.max(1, from.count - 1)) * (to.count - 1))
      : nearest(to, height);
  if (index !== follower.frame()) follower.frame(index);
}

/** Along the patient (LPS z) of a frame's first voxel. */
function heightOf(one: Description, frame: number): number | null {
  const along = one.affine?.[2];
  if (!one.physical || !along || Math.abs(along[0] ?? 0) < 1e-6) return null;
  return (along[0] ?? 0) * frame + (along[3] ?? 0);
}

function nearest(one: Description, height: number): number {
  const along = one.affine?.[2] ?? [];
  const index = Math.round((height - (along[3] ?? 0)) / (along[0] ?? 1));
  return Math.min(one.count - 1, Math.max(0, index));
}
