// One file to the service: with XMLHttpRequest, for `fetch` does not say how much of a body has been sent.
import { page, Refused, tell, word } from "./talking";

/** What was made of a file. */
export interface Uploaded {
  name: string;
  path: string;
}

/** Sends a file; `bar` shows how much of it has been sent. */
export function upload(file: File, project: string, bar: HTMLProgressElement | null): Promise<Uploaded> {
  const query = new URLSearchParams({ name: file.name, ...(project ? { project } : {}) });
  const asked = new XMLHttpRequest();
  asked.open("POST", `/api/v1/uploads?${query.toString()}`);
  asked.setRequestHeader("Content-Type", "application/octet-stream");
  asked.setRequestHeader("X-CSRF-Token", page.csrf);
  asked.setRequestHeader("Idempotency-Key", crypto.randomUUID());
  if (bar) {
    bar.hidden = false;
    asked.upload.addEventListener("progress", (event) => {
      if (event.lengthComputable) bar.value = event.loaded / event.total;
    });
  }
  tell(word("sending"));
  return new Promise((done, refused) => {
    asked.addEventListener("load", () => (asked.status === 201 ? done(JSON.parse(asked.responseText) as Uploaded) : refused(refusal(asked))));
    asked.addEventListener("error", () => refused(refusal(asked)));
    asked.send(file);
  });
}

function refusal(asked: XMLHttpRequest): Refused {
  try {
    const { error } = JSON.parse(asked.responseText) as { error: { code: string; wrong: string; todo: string } };
    return new Refused(asked.status, error.code, error.wrong, error.todo);
  } catch {
    return new Refused(asked.status, "unknown", word("live.lost"), "");
  }
}
