// Forms of the training pages: what stands in their fields, and what the page adds, is sent to the API as it is.
import { api, page, tell, trying, word } from "./talking";
import { upload } from "./training_upload";

const ASKED_EVERY = 1000;

type Body = Record<string, unknown>;

/** What a form says: empty fields are left out, numbers are numbers, a list has commas between its names. */
function fields(form: HTMLFormElement): Body {
  const said: Body = {};
  for (const field of form.elements) {
    if (!isField(field) || !field.name || field.name === "from") continue;
    const text = field.value.trim();
    if (field.dataset["kind"] === "flag") said[field.name] = (field as HTMLInputElement).checked;
    else if (field instanceof HTMLInputElement && field.type === "checkbox") {
      if (field.checked) said[field.name] = [...((said[field.name] as string[] | undefined) ?? []), text];
    } else if (text && field.dataset["kind"] === "number") said[field.name] = Number(text);
    else if (text && field.dataset["kind"] === "list") said[field.name] = names(text);
    else if (text && field.dataset["kind"] === "json") said[field.name] = json(text);
    else if (text) said[field.name] = text;
  }
  return said;
}

function isField(field: Element): field is HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement {
  return field instanceof HTMLInputElement || field instanceof HTMLSelectElement || field instanceof HTMLTextAreaElement;
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(word("not_json", { why: String(error) }));
  }
}

function names(text: string): string[] {
  return text.split(/[,，]/).map((one) => one.trim()).filter(Boolean);
}

/** A source and a path, of what was chosen and what was written beside it. */
function placed(said: Body): Body {
  const { place, path, ...rest } = said;
  if (place === undefined) return said;
  const [source, ...inside] = String(place).split("/");
  return { ...rest, source, path: [...inside, ...(path ? [String(path)] : [])].join("/") };
}

/** The place of a file that is uploaded first, where one was chosen. */
async function uploaded(form: HTMLFormElement, said: Body): Promise<Body> {
  if (!form.querySelector<HTMLInputElement>("#from-file")?.checked) return said;
  const file = form.querySelector<HTMLInputElement>("#ask-file")?.files?.[0];
  if (!file) throw new Error(word("choose"));
  const { place: _place, path: _path, ...rest } = said;
  const made = await upload(file, String(said["project"] ?? ""), form.querySelector("progress"));
  return { ...rest, source: "uploads", path: made.path };
}

async function send(form: HTMLFormElement): Promise<void> {
  const method = form.dataset["method"] ?? "POST";
  const added = ((page["bodies"] ?? {}) as Record<string, Body>)[form.id] ?? {};
  const own = fields(form);
  const accept = [...((added["accept"] as string[] | undefined) ?? []), ...((own["accept"] as string[] | undefined) ?? [])];
  let said: Body = { ...added, ...own, ...(accept.length ? { accept } : {}) };
  said = form.id === "check" ? await uploaded(form, said) : said;
  said = placed(said);
  if (form.id === "check" && !said["source"]) throw new Error(word("choose"));
  const bare = method === "DELETE" || /\/(cancel|retry)$/.test(form.dataset["path"] ?? "");
  const answer = await api<{ id?: string; payload?: unknown } | undefined>(method, path(form), bare ? undefined : said);
  if (form.id === "gather" && answer?.id) await ended(answer.id);
  tell(word("done"));
  if (form.id !== "gather" && answer?.id && answer.payload && !bare) location.assign(`/training/jobs/${answer.id}`);
  else location.reload();
}

/** Waits for a job.
 *
 * @throws Error with what went wrong.
 */
async function ended(job: string): Promise<void> {
  for (;;) {
    const { state, error } = await api<{ state: string; error: { wrong?: string } | null }>("GET", `/jobs/${job}`);
    if (state === "done") return;
    if (state === "failed" || state === "cancelled") throw new Error(error?.wrong ?? state);
    await new Promise((done) => setTimeout(done, ASKED_EVERY));
  }
}

function path(form: HTMLFormElement): string {
  return (form.dataset["path"] ?? "").split("/").map(encodeURIComponent).join("/").replaceAll("%40", "@");
}

/** Makes every form of the page send what it says. */
export function asking(): void {
  for (const form of document.querySelectorAll<HTMLFormElement>("form.ask"))
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const button = form.querySelector<HTMLButtonElement>("button[type=submit]");
      if (button) button.disabled = true;
      void trying(() => send(form)).finally(() => {
        if (button) button.disabled = false;
      });
    });
}
