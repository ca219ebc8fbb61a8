/**
 * The live page: one document that asks its own origin alone.
 *
 * Its script is a set of small modules, which are type-checked as such. They become one module by being put one after the
 * other without their imports and exports, in the order of what they need; so their top-level names must differ.
 */

import uplotCss from "uplot/dist/uPlot.min.css" with { type: "text" };
import uplot from "uplot/dist/uPlot.iife.min.js" with { type: "text" };
import actions from "./actions.js" with { type: "text" };
import address from "./address.js" with { type: "text" };
import api from "./api.js" with { type: "text" };
import backendRow from "./backend_row.js" with { type: "text" };
import certificates from "./certificates.js" with { type: "text" };
import chartsCss from "./charts.css" with { type: "text" };
import configView from "./config_view.js" with { type: "text" };
import charts from "./charts.js" with { type: "text" };
import controlsCss from "./controls.css" with { type: "text" };
import dialog from "./dialog.js" with { type: "text" };
import discovery from "./discovery.js" with { type: "text" };
import dom from "./dom.js" with { type: "text" };
import events from "./events.js" with { type: "text" };
import filter from "./filter.js" with { type: "text" };
import fleet from "./fleet.js" with { type: "text" };
import format from "./format.js" with { type: "text" };
import heldBack from "./held_back.js" with { type: "text" };
import history from "./history.js" with { type: "text" };
import listeners from "./listeners.js" with { type: "text" };
import main from "./main.js" with { type: "text" };
import menu from "./menu.js" with { type: "text" };
import order from "./order.js" with { type: "text" };
import overview from "./overview.js" with { type: "text" };
import css from "./page.css" with { type: "text" };
import html from "./page.html" with { type: "text" };
import plot from "./plot.js" with { type: "text" };
import polling from "./polling.js" with { type: "text" };
import pools from "./pools.js" with { type: "text" };
import rates from "./rates.js" with { type: "text" };
import rollout from "./rollout.js" with { type: "text" };
import sessions from "./sessions.js" with { type: "text" };
import sessionsCss from "./sessions.css" with { type: "text" };
import sideCss from "./side.css" with { type: "text" };
import statesCss from "./states.css" with { type: "text" };
import stream from "./stream.js" with { type: "text" };
import tablesCss from "./tables.css" with { type: "text" };
import toasts from "./toasts.js" with { type: "text" };
import traffic from "./traffic.js" with { type: "text" };

const STYLE = [uplotCss, css, controlsCss, chartsCss, tablesCss, statesCss, sideCss, sessionsCss].join("\n");

const MODULES = [
  ...[dom, format, address, api, rates, history, order, polling, stream],
  ...[
    plot,
    charts,
    traffic,
    certificates,
    discovery,
    backendRow,
    pools,
    filter,
    listeners,
    heldBack,
    fleet,
    events,
    rollout,
    overview,
  ],
  ...[actions, menu, dialog, toasts, sessions, configView, main],
];

const SCRIPT = [uplot, ...MODULES.map(withoutImportsAndExports)].join("\n");

const [HEAD = "", BODY = "", END = ""] = html.split(/<!-- (?:style|script) -->/);

/** What a nonce may consist of (CSP level 3, 2.3.1), so that it cannot end its attribute. */
const NONCE = /^[A-Za-z0-9+/_-]+={0,2}$/;

/**
 * The document, for an answer whose Content-Security-Policy allows the styles and the script with this nonce.
 *
 * @throws {RangeError} The nonce is not in base64.
 */
export function pageHtml(nonce: string): string {
  if (!NONCE.test(nonce)) {
    throw new RangeError(`Cannot use the nonce ${JSON.stringify(nonce)}: it is not base64`);
  }
  return [
    HEAD,
    `<style nonce="${nonce}">`,
    STYLE,
    "</style>",
    BODY,
    `<script nonce="${nonce}" type="module">`,
    SCRIPT,
    "</script>",
    END,
  ].join("");
}

function withoutImportsAndExports(source: string): string {
  return source.replaceAll(/^import [^;]*;$/gm, "").replaceAll(/^export /gm, "");
}
