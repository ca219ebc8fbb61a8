// @ts-check

/** The other balancers of the fleet, and how it is with etcd. There is none where the configuration names none. */

import { byId, partsOf, setAttribute, setHidden, setText, stamp } from "./dom.js";
import { formatCount, formatSpan } from "./format.js";

/** @import { Status } from "./api.js" */

export function createFleet() {
  const body = byId("fleet-rows");

  return {
    /** @param {Status} status */
    update({ fleet, now }) {
      setHidden(byId("fleet"), !fleet);
      if (!fleet) return;
      const nowMs = Date.parse(now);
      const link = byId("fleet-link");
      setAttribute(
        link,
        "data-discovery",
        !fleet.connected ? "failing" : fleet.trouble === "" ? "well" : "partly",
      );
      setText(byId("fleet-state"), linkState(fleet, nowMs));
      const rows = balancersOf(fleet, nowMs);
      while (body.children.length > rows.length) body.lastElementChild?.remove();
      while (body.children.length < rows.length) body.append(stamp("fleet-row"));
      rows.forEach((it, i) => {
        const row = partsOf(/** @type {HTMLElement} */ (body.children[i]));
        row.put("name", it.name);
        row.put("address", it.address);
        row.put("version", it.version);
        row.put("digest", it.digest);
        row.put("word", it.word);
        row.put("since", it.since);
        setAttribute(row.get("state"), "data-discovery", it.mark);
      });
    },
  };
}

/**
 * @param {NonNullable<Status["fleet"]>} fleet
 * @param {number} nowMs
 */
function linkState({ connected, since, trouble, unshared }, nowMs) {
  const span = formatSpan((nowMs - Date.parse(since)) / 1000);
  const facts = [`${connected ? "etcd answers" : "etcd does not answer"} for ${span}`];
  if (trouble !== "") facts.push(trouble);
  if (unshared > 0) facts.push(`${formatCount(unshared)} not yet shared`);
  return facts.join(" · ");
}

/**
 * This balancer, and then the others.
 *
 * @param {NonNullable<Status["fleet"]>} fleet
 * @param {number} nowMs
 */
function balancersOf(fleet, nowMs) {
  const { name, address, version, digest, others } = fleet;
  return [
    { name, address, version, digest, word: "this one", mark: "well", since: "" },
    ...others.map((it) => ({
      ...it,
      word: it.state === "lost"
        ? "lost"
        : it.differs.length === 0
        ? "alike"
        : `another ${it.differs.join(" and ")}`,
      mark: it.state === "lost" ? "failing" : it.differs.length === 0 ? "well" : "partly",
      since: formatSpan((nowMs - Date.parse(it.since)) / 1000),
    })),
  ];
}
