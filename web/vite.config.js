// Builds the static files of the reading room into the Python package; `make web` calls it.
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const pages = readdirSync(new URL("./pages", import.meta.url))
  .filter((name) => name.endsWith(".ts"))
  .map((name) => `pages/${name}`);

/** The policy forbids style attributes, not styles that scripts set: Cornerstone's one `setAttribute("style", …)` is rewritten. */
const styles = {
  name: "styles-by-script",
  transform(code, id) {
    if (!id.includes("node_modules") || !code.includes("setAttribute('style'")) return null;
    return { code: code.replace(/([\w.]+)\.setAttribute\('style', ([^;]+)\);/g, "$1.style.cssText = $2;"), map: null };
  },
};

/** Cornerstone brings readers of surfaces, of which there are none here; one of them needs a module of Node. */
const absent = {
  find: /^@kitware\/vtk\.js\/IO\/.*Reader\.js$/,
  replacement: fileURLToPath(new URL("./viewer/absent.js", import.meta.url)),
};

export default defineConfig({
  plugins: [styles],
  resolve: { alias: [absent] },
  base: "/static/",
  publicDir: false,
  build: {
    outDir: "../src/diascope/serve/room/static",
    emptyOutDir: true,
    manifest: "manifest.json",
    license: { fileName: "licenses.md" },
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
    chunkSizeWarningLimit: 4000,
    rollupOptions: {
      input: [...pages, "style/room.css"],
      // Else the viewer would import the page that opens it, for a few lines that Vite puts there.
      output: { codeSplitting: { groups: [{ name: "preload", test: /preload-helper/ }] } },
    },
  },
  worker: { format: "es" },
});
