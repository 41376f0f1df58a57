// What a reader drew, kept by the server: compressed, on the grid of the frames.
import { api } from "../parts/talking";
import { facts, type Shown } from "./room";

interface Drawing {
  id: string;
}

/** Keeps the voxels of one structure as a drawing; gives its id. */
export async function keep(shown: Shown, value: number, name: string): Promise<string> {
  const mask = shown.viewer.readMask();
  const alone = new Uint8Array(mask.length);
  for (let at = 0; at < mask.length; at++) if (mask[at] === value) alone[at] = 1;
  const packed = await deflated(alone);
  const query = new URLSearchParams({ label: `1:${name}` });
  const kept = await api<Drawing>("POST", `/studies/${facts.study}/series/${shown.series}/drawings?${query}`, packed);
  shown.viewer.saved();
  return kept.id;
}

/** Bytes as zlib, as the server takes masks. */
export async function deflated(bytes: Uint8Array): Promise<Uint8Array> {
  const stream = new Blob([bytes as BlobPart]).stream().pipeThrough(new CompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
