// The only way into the viewer. Nothing outside of this folder imports Cornerstone.
import { describe, Frames } from "./loading";
import { Source } from "./source";
import type { SeriesViewer } from "./viewer";
import type { Viewer, Wanted } from "./types";

export type * from "./types";

/** Opens a series in an element, and answers as soon as its first picture is on the screen; the rest loads behind it.
 *
 * @param element Empty, in the page, with a size; the viewer fills it.
 * @throws Error when the series cannot be had, with the server's words.
 */
export async function openViewer(element: HTMLElement, wanted: Wanted): Promise<Viewer> {
  const parts = import("./viewer");
  const { study, series, part, api = "/api/v1" } = wanted;
  const address = `${api}/studies/${encodeURIComponent(study)}/series/${encodeURIComponent(series)}/frames`;
  const description = await describe(part ? `${address}?part=${part}` : address);
  const query = queryOf(part, description.revision);
  const first = clamp(wanted.first ?? (description.affine ? Math.floor(description.count / 2) : 0), description.count);
  let viewer: SeriesViewer | null = null;
  let frames!: Frames;
  const here = new Promise<void>((resolve, reject) => {
    frames = new Frames(address, query, description, {
      arrived: (from, to) => {
        if (viewer) viewer.arrived(from, to);
        else if (frames.has(first)) resolve();
      },
      failed: (error) => {
        if (viewer) viewer.failed(error);
        else reject(error);
      },
    });
  });
  frames.want(first);
  const [{ SeriesViewer }] = await Promise.all([parts, here]);
  const opened = new SeriesViewer(element, wanted, frames, new Source(description, frames, first), first);
  viewer = opened;
  await opened.start();
  frames.goOn();
  return opened;
}

/** Frames of another revision of the series are refused: they would not fit to those that came before. */
function queryOf(part: number | undefined, revision: number | undefined): string {
  const said = { ...(part && { part: String(part) }), ...(revision !== undefined && { revision: String(revision) }) };
  const query = new URLSearchParams(said).toString();
  return query && `?${query}`;
}

function clamp(index: number, count: number): number {
  return Math.min(count - 1, Math.max(0, Math.round(index)));
}
