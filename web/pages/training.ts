// From data to a release: forms that become requests, an upload, and a training that is watched.
import { asking } from "./parts/training_asking";
import { page } from "./parts/talking";
import { watch } from "./parts/training_watching";

asking();

const job = typeof page["job"] === "string" ? page["job"] : "";
const state = String(page["state"] ?? "");
if (job) void watch(job, state);
