// @ts-check

/** The balancer as a whole: the line at the top, and its process and workers. */

import { byId, partsOf, setAttribute, setText, stamp } from "./dom.js";
import { formatBytes, formatCount, formatMs, formatSpan, formatTime, UNKNOWN } from "./format.js";
import { showRollout } from "./rollout.js";

/** @import { Problem, Status } from "./api.js" */

/** @typedef {"connecting" | "live" | "reconnecting" | "paused"} Connection */

const CONNECTION_WORDS = {
  connecting: "connecting…",
  live: "live",
  reconnecting: "reconnecting…",
  paused: "paused",
};

export function createOverview() {
  const workers = byId("worker-rows");
  let title = "sockbal";
  /** @type {Date | null} */
  let answered = null;

  return {
    /**
     * @param {Status} status
     * @param {number | null} processors
     */
    update(status, processors) {
      answered = new Date();
      const backends = status.pools.flatMap((pool) => pool.backends);
      const up = backends.filter((backend) => backend.state === "up").length;
      setText(byId("version"), status.version);
      const isRunning = (status.state ?? "running") === "running";
      setText(byId("ready"), isRunning ? (status.ready ? "ready" : "not ready") : status.state);
      const empty = status.pools.filter(({ available, leaving }) => available === 0 && !leaving);
      const alarm = byId("alarm");
      setText(
        alarm,
        !isRunning
          ? `The balancer is ${status.state}.`
          : empty.map(({ name, backends }) => `${name}: 0 of ${backends.length} available`).join(" · "),
      );
      alarm.hidden = isRunning && empty.length === 0;
      setAttribute(byId("ready"), "data-ready", String(status.ready));
      const failing = backends.filter(({ state }) => state === "down" || state === "ejected").length;
      const upText = `${formatCount(up)} of ${formatCount(backends.length)} up`;
      setText(byId("backends"), failing === 0 ? upText : `${upText}, ${formatCount(failing)} failing`);
      setAttribute(byId("backends"), "data-failing", String(failing > 0));
      setText(byId("uptime"), formatSpan(status.uptime_s));
      setAttribute(byId("uptime"), "title", `since ${new Date(status.started_at).toLocaleString()}`);
      const { confined, not_confined_by: missing } = status;
      setText(byId("engine"), status.engine);
      const confinement = confined === null ? "" : `workers confined by ${confined}`;
      setAttribute(
        byId("engine"),
        "title",
        missing === null ? confinement : `${confinement}, not by ${missing}`,
      );
      setText(byId("generation"), formatCount(status.generation));
      setText(byId("config"), status.config);
      showRollout(status);
      setText(byId("memory"), formatBytes(status.process.memory_bytes));
      setText(
        byId("processor"),
        processors === null ? UNKNOWN : `${formatCount(100 * processors)}% of one core`,
      );
      const { open_files: open, max_open_files: most } = status.process;
      setText(byId("open-files"), formatCount(open) + (most === null ? "" : ` of ${formatCount(most)}`));
      setText(byId("log-dropped"), formatCount(status.log_records_dropped));
      updateWorkers(workers, status.workers);
      title = `${upText} · sockbal`;
      document.title = title;
    },

    /** @param {Connection} connection */
    connection(connection) {
      setText(byId("connection-word"), CONNECTION_WORDS[connection]);
      setAttribute(byId("connection"), "data-connection", connection);
      setAttribute(byId("main"), "data-stale", String(connection === "reconnecting"));
      document.title = connection === "reconnecting" ? `reconnecting… · ${title}` : title;
    },

    /** @param {Problem | null} problem Why there are no new figures. */
    problem(problem) {
      const banner = byId("banner");
      const old = answered === null ? "" : ` The figures are those of ${formatTime(answered, new Date())}.`;
      setText(banner, problem === null ? "" : `${problem.message}.${old}`);
      banner.hidden = problem === null;
    },
  };
}

/**
 * @param {HTMLElement} body
 * @param {Status["workers"]} workers
 */
function updateWorkers(body, workers) {
  while (body.children.length > workers.length) body.lastElementChild?.remove();
  while (body.children.length < workers.length) body.append(stamp("worker-row"));
  workers.forEach((worker, i) => {
    const row = partsOf(/** @type {HTMLElement} */ (body.children[i]));
    row.put("id", String(worker.id));
    row.put("generation", formatCount(worker.generation));
    row.put("lag", formatMs(worker.lag_ms));
  });
}
