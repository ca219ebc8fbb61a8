// @ts-check

/** What an operator can do, and what is said before it is done. */

import { send } from "./api.js";
import { formatCount } from "./format.js";

/** @import { Backend, Pool } from "./api.js" */

/**
 * @typedef {{ label: string, hint: string, value: string, kind: "number" | "duration" }} Field
 *
 * @typedef {{
 *   title: string, text: string[], confirm: string, danger: boolean, field: Field | null,
 *   run: (value: string) => Promise<string>,
 * }} Proposal What a dialog shows, and what its button does.
 *
 * @typedef {{ pool: Pool, backend: Backend }} Target
 */

/**
 * What can be done with a backend.
 *
 * @type {Record<string, (target: Target) => Proposal>}
 */
const PROPOSALS = {
  enable: ({ pool, backend }) => ({
    title: `Enable ${nameOf(pool, backend)}?`,
    text: ["It gets new sessions again, as soon as it is healthy."],
    confirm: "Enable",
    danger: false,
    field: null,
    run: () => send("POST", `${pathOf(pool, backend)}/enable`),
  }),
  drain: ({ pool, backend }) => ({
    title: `Drain ${nameOf(pool, backend)}?`,
    text: [
      `It gets no new sessions. ${sessionsOf(backend)} may go on until they end by themselves.`,
      ...lastOneWarning(pool, backend),
    ],
    confirm: "Drain",
    danger: false,
    field: {
      label: "End what is left after",
      hint: "A duration such as 30s or 5m. Leave it empty to wait however long it takes.",
      value: "",
      kind: "duration",
    },
    run: (value) => {
      const deadline = value === "" ? "" : `?deadline=${encodeURIComponent(value)}`;
      return send("POST", `${pathOf(pool, backend)}/drain${deadline}`);
    },
  }),
  disable: ({ pool, backend }) => ({
    title: `Disable ${nameOf(pool, backend)}?`,
    text: [
      `It is out of service and gets no new sessions until you enable it. ${sessionsOf(backend)} stay.`,
      ...lastOneWarning(pool, backend),
    ],
    confirm: "Disable",
    danger: true,
    field: null,
    run: () => send("POST", `${pathOf(pool, backend)}/disable`),
  }),
  kill: ({ pool, backend }) => ({
    title: `End all sessions of ${nameOf(pool, backend)}?`,
    text: [
      `${sessionsOf(backend)} are cut at once, whatever they are doing.`,
      backend.operator === "enabled"
        ? "It stays enabled and gets new sessions; to keep them away, drain or disable it first."
        : `It stays ${backend.operator}, so it gets no new ones.`,
    ],
    confirm: "End sessions",
    danger: true,
    field: null,
    run: () => send("POST", `${pathOf(pool, backend)}/kill`),
  }),
  restore: ({ pool, backend }) => ({
    title: `Put the weight of ${nameOf(pool, backend)} back?`,
    text: [`The configuration says ${backend.configured_weight}; now it is ${backend.weight}.`],
    confirm: `Set ${backend.configured_weight}`,
    danger: false,
    field: null,
    run: () => send("PUT", `${pathOf(pool, backend)}/weight`, { weight: backend.configured_weight }),
  }),
  weight: ({ pool, backend }) => ({
    title: `Change the weight of ${nameOf(pool, backend)}?`,
    text: [
      "The weight is its share of new sessions beside the other backends. Sessions it has now are not moved.",
    ],
    confirm: "Set weight",
    danger: false,
    field: {
      label: "Weight",
      hint: "A whole number from 0 to 256. With 0 it gets no new sessions.",
      value: String(backend.weight),
      kind: "number",
    },
    run: (value) => send("PUT", `${pathOf(pool, backend)}/weight`, { weight: Number(value) }),
  }),
};

/**
 * @param {string} action
 * @param {Target} target
 * @return {Proposal}
 */
export function proposalFor(action, target) {
  const propose = PROPOSALS[action];
  if (propose === undefined) throw new Error(`Cannot propose ${action}`);
  return propose(target);
}

/**
 * Whether an action would change anything.
 *
 * @param {string} action
 * @param {Backend} backend
 */
export function isUseful(action, backend) {
  if (backend.leaving && action !== "kill" && action !== "sessions") return false;
  switch (action) {
    case "restore":
      return backend.configured_weight !== undefined && backend.configured_weight !== backend.weight;
    case "enable":
      return backend.operator !== "enabled";
    case "disable":
      return backend.operator !== "disabled";
    case "kill":
      return backend.active > 0;
    default:
      return true;
  }
}

/**
 * @param {string} config
 * @return {Proposal}
 */
export function reloadProposal(config) {
  return {
    title: `Reload ${config}?`,
    text: [
      "The configuration is read again. If it has faults, they are shown here and nothing changes.",
      "Otherwise new sessions follow it at once; open ones go on, as long as its reload_drain_timeout allows.",
    ],
    confirm: "Reload",
    danger: false,
    field: null,
    run: () => send("POST", "reload"),
  };
}

/**
 * @param {Pool} pool
 * @param {Backend} backend
 */
function nameOf(pool, backend) {
  if (backend.name === "*") return `all backends of ${pool.name}`;
  return `${pool.name}/${backend.name}`;
}

/**
 * @param {Pool} pool
 * @param {Backend} backend
 */
function pathOf(pool, backend) {
  return `pools/${encodeURIComponent(pool.name)}/backends/${encodeURIComponent(backend.name)}`;
}

/** @param {Backend} backend */
function sessionsOf({ active }) {
  return active === 1
    ? "The 1 session that it has now"
    : `The ${formatCount(active)} sessions that it has now`;
}

/**
 * @param {Pool} pool
 * @param {Backend} backend
 */
function lastOneWarning(pool, backend) {
  if (backend.name === "*") {
    return [`No backend of ${pool.name} is left: new sessions will have nowhere to go.`];
  }
  if (backend.state !== "up") return [];
  if (pool.backends.some((it) => it.name !== backend.name && it.state === "up")) return [];
  return [`No other backend of ${pool.name} is up: new sessions will have nowhere to go.`];
}
