// @ts-check

/** When the certificates of a listener or a pool expire: the first of them in a few words, and all of them on demand. */

import { setAttribute, setHidden } from "./dom.js";
import { formatCount, formatDays } from "./format.js";

/** @import { Certificate } from "./api.js" */
/** @import { Parts } from "./dom.js" */

/**
 * @param {Parts} parts
 * @param {readonly Certificate[]} certificates
 * @param {number} nowMs
 */
export function showCertificates(parts, certificates, nowMs) {
  const mark = parts.get("certificates");
  const sorted = [...certificates].sort((a, b) => secondsLeft(a, nowMs) - secondsLeft(b, nowMs));
  const [first] = sorted;
  setHidden(mark, first === undefined);
  if (first === undefined) return;
  setAttribute(mark, "data-certificate", first.state);
  parts.put("certificate", certificateWords(sorted, nowMs));
  setAttribute(mark, "title", sorted.map(certificateDetails).join("\n"));
}

/**
 * When they expire.
 *
 * @param {readonly Certificate[]} certificates The first to expire comes first.
 * @param {number} nowMs
 */
export function certificateWords(certificates, nowMs) {
  const [first] = certificates;
  if (first === undefined) return "";
  const when = certificateEnd(first, nowMs);
  if (certificates.length === 1) return `certificate ${when}`;
  // Which one it is matters when something is to be done.
  if (first.state !== "valid") return `certificate ${certificateTitle(first)} ${when}`;
  return `${formatCount(certificates.length)} certificates, the first ${when}`;
}

/**
 * @param {Certificate} certificate
 * @param {number} nowMs
 */
function certificateEnd(certificate, nowMs) {
  const left = secondsLeft(certificate, nowMs);
  return left < 0 ? `expired ${formatDays(-left)} ago` : `expires in ${formatDays(left)}`;
}

/**
 * In seconds.
 *
 * @param {Certificate} certificate
 * @param {number} nowMs
 */
function secondsLeft({ not_after }, nowMs) {
  return (Date.parse(not_after) - nowMs) / 1000;
}

/**
 * As the log and the metrics call it.
 *
 * @param {Certificate} certificate
 */
function certificateTitle({ subject, names: [name = ""] }) {
  return subject === "" ? name : subject;
}

/** @param {Certificate} certificate */
function certificateDetails({ subject, names, not_before, not_after, fingerprint }) {
  return [
    subject,
    names.join(", "),
    `valid from ${new Date(not_before).toLocaleString()} to ${new Date(not_after).toLocaleString()}`,
    `SHA-256 ${fingerprint}`,
  ].filter((it) => it !== "").join(" · ");
}
