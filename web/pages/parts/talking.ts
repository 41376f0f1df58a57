// Talking with the server: what the page was given, and the API with the session's CSRF token.

export interface PageData {
  lang: string;
  csrf: string;
  words: Record<string, string>;
}

/** What the server wrote into the page for its script. */
export const page = read<PageData & Record<string, unknown>>("page");

/** Data of the page under a name of its own. */
export function read<T>(id: string): T {
  const element = document.getElementById(id);
  return JSON.parse(element?.textContent ?? "{}") as T;
}

/** A word in the visitor's language, with its blanks (`{name}`) filled in; the key itself shows that one is missing. */
export function word(key: string, values: Record<string, string | number> = {}): string {
  const text = page.words[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (blank, name: string) => String(values[name] ?? blank));
}

/** What was wrong and what to do, as the server says it. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    wrong: string,
    readonly todo: string,
  ) {
    super(wrong);
  }
}

/** Asks the API and gives its JSON; a body that is no string or bytes is sent as JSON. */
export async function api<T = unknown>(method: string, path: string, body?: unknown): Promise<T> {
  const answer = await ask(method, path, body);
  return (answer.status === 204 ? undefined : await answer.json()) as T;
}

/** Asks the API and gives the answer itself. */
export async function ask(method: string, path: string, body?: unknown): Promise<Response> {
  const headers: Record<string, string> = {};
  if (method !== "GET") {
    headers["X-CSRF-Token"] = page.csrf;
    if (path !== "/session") headers["Idempotency-Key"] = crypto.randomUUID();
  }
  let sent: BodyInit | undefined;
  if (body instanceof Uint8Array) {
    headers["Content-Type"] = "application/octet-stream";
    sent = body as BodyInit;
  } else if (body !== undefined) {
    headers["Content-Type"] = "application/json";
    sent = JSON.stringify(body);
  }
  const answer = await fetch(`/api/v1${path}`, { method, headers, ...(sent === undefined ? {} : { body: sent }) });
  if (!answer.ok) throw await refusal(answer);
  return answer;
}

async function refusal(answer: Response): Promise<Refused> {
  try {
    const { error } = (await answer.json()) as { error: { code: string; wrong: string; todo: string } };
    return new Refused(answer.status, error.code, error.wrong, error.todo);
  } catch {
    return new Refused(answer.status, "unknown", `${answer.status} ${answer.statusText}`, "");
  }
}

/** Tells the reader something, also those who do not see it. */
export function tell(text: string, kind: "good" | "bad" = "good"): void {
  const place = document.getElementById("told");
  if (!place) return;
  place.textContent = text;
  place.dataset["kind"] = kind;
}

/** Runs what may be refused, and tells the reader why it was. */
export async function trying(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const todo = error instanceof Refused && error.todo ? ` ${error.todo}.` : "";
    tell(`${error.message}.${todo}`, "bad");
  }
}
