// @ts-check

/** The menu of what can be done with a backend. */

import { isUseful } from "./actions.js";
import { byId, setAttribute } from "./dom.js";

/** @import { Target } from "./pools.js" */

const GAP_PX = 4;

/**
 * @param {(action: string, row: Target, opener: HTMLElement) => void} onChoice
 */
export function createMenu(onChoice) {
  const menu = byId("menu");
  const items = /** @type {HTMLButtonElement[]} */ ([...menu.querySelectorAll("[role=menuitem]")]);
  /** @type {{ row: Target, opener: HTMLElement } | null} */
  let current = null;

  menu.addEventListener("click", ({ target }) => {
    const item = target instanceof Element ? target.closest("[role=menuitem]") : null;
    const chosen = current;
    if (!(item instanceof HTMLElement) || chosen === null) return;
    menu.hidePopover();
    onChoice(item.dataset.action ?? "", chosen.row, chosen.opener);
  });
  menu.addEventListener("keydown", (event) => {
    const usable = items.filter((item) => !item.disabled);
    const at = usable.findIndex((item) => item === document.activeElement);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 }[event.key];
    if (next !== undefined) {
      event.preventDefault();
      usable.at(next % usable.length)?.focus();
    } else if (event.key === "Tab") {
      current?.opener.focus();
      menu.hidePopover();
    }
  });
  menu.addEventListener("beforetoggle", (event) => {
    const open = event instanceof ToggleEvent && event.newState === "open";
    if (current) setAttribute(current.opener, "aria-expanded", String(open));
    if (!open) current = null;
  });
  const follow = () => current !== null && place(menu, current.opener);
  addEventListener("scroll", follow, { passive: true });
  addEventListener("resize", follow);

  return {
    /**
     * @param {Target} row
     * @param {HTMLElement} opener
     */
    open(row, opener) {
      menu.hidePopover();
      current = { row, opener };
      setAttribute(menu, "aria-label", `Change ${row.pool}/${row.backend.name}`);
      for (const item of items) {
        const isOf = isUseful(item.dataset.action ?? "", row.backend);
        item.disabled = !isOf;
        // It is there only where a weight differs from the file.
        if (item.dataset.action === "restore") item.hidden = !isOf;
      }
      menu.showPopover();
      place(menu, opener);
      items.find((item) => !item.disabled)?.focus({ preventScroll: true });
    },
  };
}

/**
 * Below the button, or above it where there is no room.
 *
 * @param {HTMLElement} menu
 * @param {HTMLElement} opener
 */
function place(menu, opener) {
  const button = opener.getBoundingClientRect();
  const box = menu.getBoundingClientRect();
  const below = button.bottom + GAP_PX;
  const top = below + box.height > innerHeight ? button.top - GAP_PX - box.height : below;
  menu.style.top = `${Math.max(GAP_PX, top)}px`;
  menu.style.left = `${Math.max(GAP_PX, button.right - box.width)}px`;
}
