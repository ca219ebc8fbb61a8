// @ts-check

/** The live page: what comes from the balancer goes to the parts that show it. */

import { proposalFor, reloadProposal } from "./actions.js";
import { createCharts } from "./charts.js";
import { createDialog } from "./dialog.js";
import { remember, remembered } from "./address.js";
import { createConfigView } from "./config_view.js";
import { byId, byIdAs, setAttribute } from "./dom.js";
import { createEvents } from "./events.js";
import { createFilter } from "./filter.js";
import { createFleet } from "./fleet.js";
import { append, emptyHistory, joinHistory } from "./history.js";
import { createHeldBack } from "./held_back.js";
import { createListeners } from "./listeners.js";
import { createMenu } from "./menu.js";
import { createOverview } from "./overview.js";
import { pollStatus } from "./polling.js";
import { createPools } from "./pools.js";
import { followRates } from "./rates.js";
import { createSessions } from "./sessions.js";
import { openStream } from "./stream.js";
import { showToast } from "./toasts.js";

/** @import { Status } from "./api.js" */

const overview = createOverview();
const charts = createCharts();
const events = createEvents();
const listeners = createListeners();
const heldBack = createHeldBack();
const fleet = createFleet();
const rates = followRates();
const dialog = createDialog({
  onDone: (message) => {
    showToast(message, "done");
    polling.soon();
  },
  onProblem: (problem) => showToast(problem.message, "problem"),
});
const sessions = createSessions(showToast);
const configView = createConfigView();
const menu = createMenu((action, row, opener) => {
  if (action === "sessions") {
    return sessions.open({ pool: row.pool, backend: row.backend.name === "*" ? "" : row.backend.name });
  }
  const pool = status?.pools.find((pool) => pool.name === row.pool);
  if (pool) dialog.open(proposalFor(action, { pool, backend: row.backend }), opener);
});
const pools = createPools((row, button) => menu.open(row, button));
const filter = createFilter((wanted) => pools.filter(wanted));

/** @type {Status | null} */
let status = null;
let history = emptyHistory();
let answering = false;
let streaming = false;
let heard = false;

const polling = pollStatus({
  onStatus(answer) {
    status = answer;
    answering = true;
    rates.update(answer);
    overview.update(answer, rates.processors());
    overview.problem(null);
    listeners.update(answer, rates);
    heldBack.update(answer);
    fleet.update(answer);
    pools.update(answer, rates);
    filter.update(answer.pools.reduce((sum, pool) => sum + pool.backends.length, 0));
    showConnection();
  },
  onProblem(problem) {
    answering = false;
    if (document.hidden) return;
    overview.problem(problem);
    showConnection();
  },
});

const stream = openStream({
  onHistory(sent) {
    history = joinHistory(history, sent);
    charts.update(history);
    events.clear();
  },
  onSummary(summary) {
    append(history, summary);
    charts.update(history);
  },
  onChange(change) {
    events.add(change);
    polling.soon();
  },
  onOpen(open) {
    streaming = open;
    showConnection();
  },
});

function showConnection() {
  const live = answering && streaming;
  heard ||= live;
  if (document.hidden) overview.connection("paused");
  else overview.connection(live ? "live" : heard ? "reconnecting" : "connecting");
}

function followVisibility() {
  if (document.hidden) {
    polling.pause();
    stream.close();
    streaming = false;
  } else {
    polling.resume();
    stream.open();
  }
  showConnection();
}

byId("reload").addEventListener("click", ({ currentTarget }) => {
  dialog.open(
    reloadProposal(status?.config ?? "the configuration"),
    /** @type {HTMLElement} */ (currentTarget),
  );
});
byId("open-sessions").addEventListener("click", () => sessions.open({}));
byId("open-config").addEventListener("click", () => configView.open());

const dense = byIdAs("dense", HTMLInputElement);
const showDense = () => setAttribute(document.body, "data-dense", String(dense.checked));
dense.checked = remembered("dense") !== "";
dense.addEventListener("change", () => {
  remember("dense", dense.checked ? "1" : "");
  showDense();
});
showDense();

document.addEventListener("visibilitychange", followVisibility);
followVisibility();
