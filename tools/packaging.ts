/** `deno task packaging`: completions of shells and the manual page, from the flags. A test holds the files against it. */

import project from "../deno.json" with { type: "json" };
import { bashCompletion, fishCompletion, zshCompletion } from "./completions.ts";
import { parts } from "./flag_list.ts";
import { manualPage } from "./manual_page.ts";

/** Each file of packaging/ that is generated, with what it should be. */
export function generatedFiles(): ReadonlyMap<string, string> {
  const all = parts();
  return new Map([
    ["packaging/completions/sockbal.bash", bashCompletion(all)],
    ["packaging/completions/_sockbal", zshCompletion(all)],
    ["packaging/completions/sockbal.fish", fishCompletion(all)],
    ["packaging/man/sockbal.1", manualPage(all, project.version)],
  ]);
}

if (import.meta.main) {
  for (const [path, text] of generatedFiles()) {
    const folder = path.slice(0, path.lastIndexOf("/"));
    Deno.mkdirSync(folder, { recursive: true });
    Deno.writeTextFileSync(path, text);
  }
}
