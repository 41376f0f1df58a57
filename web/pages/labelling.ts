// Labelling: the form for a new one, and its end; the viewer with its answers is a part of its own.
import { api, page, tell, trying, word } from "./parts/talking";

const PERCENT = 100;

function bodyOf(form: HTMLFormElement): Record<string, unknown> {
  const fields = new FormData(form);
  const text = (name: string): string => String(fields.get(name) ?? "").trim();
  const labels = text("labels").split("\n").map((one) => one.trim()).filter(Boolean);
  const exclusive = text("asks") === "exclusive";
  return {
    project: text("project"),
    name: text("name"),
    asks: exclusive ? "classes" : text("asks"),
    exclusive,
    labels,
    modality: text("modality"),
    twice: Number(text("twice")) / PERCENT,
    release: text("release"),
  };
}

const form = document.getElementById("new-labelling") as HTMLFormElement | null;
form?.addEventListener("submit", (event) => {
  event.preventDefault();
  void trying(async () => {
    const made = await api<{ id: string }>("POST", "/labellings", bodyOf(form));
    tell(word("made"));
    location.assign(`/labelling/${made.id}`);
  });
});

document.getElementById("close")?.addEventListener("click", () => {
  if (!confirm(word("confirm_close"))) return;
  void trying(async () => {
    await api("POST", `/labellings/${String(page["labelling"])}/close`);
    tell(word("closed"));
    location.reload();
  });
});

if (document.getElementById("labelling-room")) void trying(async () => void (await import("./labelling/room")));
