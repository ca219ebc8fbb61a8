// @ts-check

/** The balancer's API: what it answers, and how it is asked. */

/**
 * @typedef {import("../status.ts").Status} Status
 * @typedef {import("../status.ts").ListenerStatus} Listener
 * @typedef {import("../status.ts").PoolStatus} Pool
 * @typedef {import("../status.ts").BackendStatus} Backend
 * @typedef {import("../status.ts").BackendState} BackendState
 * @typedef {import("../status.ts").CertificateStatus} Certificate
 * @typedef {import("../operations.ts").Summary} Summary
 * @typedef {import("../operations.ts").Change} Change
 * @typedef {import("../operations.ts").SessionStatus} Session
 */

/** A request takes longer only when the balancer is in trouble. */
const TIMEOUT_MS = 10_000;

/** An answer that is not the wanted one, in words for the user. */
export class Problem extends Error {
  /**
   * @param {string} title
   * @param {string} detail
   * @param {readonly string[]} faults
   */
  constructor(title, detail = "", faults = []) {
    super(detail === "" ? title : `${title}: ${detail}`);
    this.title = title;
    this.detail = detail;
    this.faults = faults;
  }
}

/**
 * The address of a path of the API. It is built on the origin: a page that was opened with a name and a password in its
 * address may not fetch anything relative to that.
 *
 * @param {string} path
 */
export function apiUrl(path) {
  return `${location.origin}${location.pathname.replace(/[^/]*$/, "")}api/${path}`;
}

/**
 * How things are now.
 *
 * @return {Promise<Status>}
 */
export async function fetchStatus() {
  return await fetchJson("status");
}

/**
 * What is at a path of the API.
 *
 * @param {string} path
 */
export async function fetchJson(path) {
  return await (await request("GET", path)).json();
}

/**
 * Asks for a change and returns the answer's message.
 *
 * @param {"POST" | "PUT"} method
 * @param {string} path
 * @param {unknown} [body] Sent as JSON.
 * @return {Promise<string>}
 */
export async function send(method, path, body) {
  const { message } = await (await request(method, path, body)).json();
  return String(message ?? "Done.");
}

/**
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body]
 */
async function request(method, path, body) {
  /** @type {RequestInit} */
  const init = { method, cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) };
  if (body !== undefined) {
    init.body = JSON.stringify(body);
    init.headers = { "content-type": "application/json" };
  }
  let response;
  try {
    response = await fetch(apiUrl(path), init);
  } catch (error) {
    const late = error instanceof DOMException && error.name === "TimeoutError";
    throw new Problem("The balancer does not answer", late ? "nothing came within ten seconds" : "");
  }
  if (response.ok) return response;
  throw await problemOf(response);
}

/** @param {Response} response */
async function problemOf(response) {
  if (response.status === 401) return new Problem("You are not signed in", "reload the page to sign in");
  const title = `The balancer answered ${response.status} ${response.statusText}`.trim();
  if (!response.headers.get("content-type")?.includes("json")) return new Problem(title);
  const problem = await response.json().catch(() => ({}));
  // The title is the status in words, which tells people less than the sentence.
  const sentence = String(problem.detail ?? problem.title ?? title);
  return new Problem(
    sentence.charAt(0).toUpperCase() + sentence.slice(1),
    "",
    Array.isArray(problem.faults) ? problem.faults.map(String) : [],
  );
}
