// @ts-check

/** Active sessions: found by client, listener, pool and backend, and ended one by one. */

import { fetchJson, Problem, send } from "./api.js";
import { byId, byIdAs, partsOf, setAttribute, setText, stamp } from "./dom.js";
import { formatBytes, formatCount, formatSpan } from "./format.js";

/** @import { Session } from "./api.js" */

/** As many as one looks through. */
const SHOWN = 200;

/** After the last key. */
const PAUSE_MS = 300;

/** @param {(message: string, kind: "done" | "problem") => void} say */
export function createSessions(say) {
  const dialog = byIdAs("sessions", HTMLDialogElement);
  const body = byId("session-rows");
  const found = byId("sessions-found");
  const fields = /** @type {const} */ (["client", "backend", "pool", "listener"]);
  const inputs = fields.map((name) => byIdAs(`sessions-${name}`, HTMLInputElement));
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let asked = 0;

  const load = async () => {
    const mine = ++asked;
    const query = new URLSearchParams({ limit: String(SHOWN) });
    fields.forEach((name, i) => {
      const text = inputs[i]?.value.trim() ?? "";
      if (text !== "") query.set(name, text);
    });
    try {
      const sessions = /** @type {Session[]} */ (await fetchJson(`sessions?${query}`));
      if (mine !== asked) return;
      const more = sessions.length === SHOWN ? `the ${SHOWN} oldest; narrow the search to see others` : "";
      setText(found, more || `${formatCount(sessions.length)} found`);
      body.replaceChildren(...sessions.map(row));
    } catch (error) {
      if (mine !== asked) return;
      setText(found, error instanceof Problem ? error.message : String(error));
      body.replaceChildren();
    }
  };

  /** @param {Session} session */
  const row = (session) => {
    const parts = partsOf(stamp("session-row"));
    parts.put("client", session.client);
    parts.put("backend", session.backend === null ? "not yet" : `${session.pool}/${session.backend}`);
    parts.put("listener", session.listener);
    parts.put("age", formatSpan(session.age_ms / 1000));
    parts.put("in", formatBytes(session.bytes_in));
    parts.put("out", formatBytes(session.bytes_out));
    parts.put("rate-limited", session.rate_limited ? "held back by its rate limit" : "");
    const button = parts.get("end");
    setAttribute(button, "aria-label", `End the session of ${session.client}`);
    button.addEventListener("click", async () => {
      // The first click asks, the second does it.
      if (button.dataset.sure !== "true") {
        setAttribute(button, "data-sure", "true");
        return setText(button, "Really end?");
      }
      try {
        await send("POST", `sessions/${encodeURIComponent(session.id)}/kill`);
        parts.root.remove();
      } catch (error) {
        say(error instanceof Problem ? error.message : String(error), "problem");
      }
    });
    return parts.root;
  };

  for (const input of inputs) {
    input.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(load, PAUSE_MS);
    });
  }
  byId("sessions-form").addEventListener("submit", (event) => {
    event.preventDefault();
    load();
  });
  byId("sessions-close").addEventListener("click", () => dialog.close());

  return {
    /** @param {{ pool?: string, backend?: string }} wanted */
    open({ pool = "", backend = "" }) {
      const values = ["", backend, pool, ""];
      inputs.forEach((input, i) => input.value = values[i] ?? "");
      body.replaceChildren();
      setText(found, "…");
      dialog.showModal();
      inputs[0]?.focus();
      load();
    },
  };
}
