// @ts-check

/** The dialog that asks before anything is done, and shows what the balancer answered when it refuses. */

import { Problem } from "./api.js";
import { byId, byIdAs, setAttribute, setText, textElement } from "./dom.js";

/** @import { Field, Proposal } from "./actions.js" */

const DURATION = "([0-9]+(ms|s|m|h))+";

/**
 * @param {{ onDone: (message: string) => void, onProblem: (problem: Problem) => void }} listener `onProblem` only when
 *   the dialog was closed before the answer came.
 */
export function createDialog({ onDone, onProblem }) {
  const dialog = byIdAs("dialog", HTMLDialogElement);
  const input = byIdAs("dialog-input", HTMLInputElement);
  const confirm = byIdAs("dialog-confirm", HTMLButtonElement);
  const cancel = byIdAs("dialog-cancel", HTMLButtonElement);
  const problemBox = byId("dialog-problem");
  /** @type {Proposal | null} */
  let current = null;
  /** @type {HTMLElement | null} */
  let opener = null;

  const run = async (/** @type {Proposal} */ proposal) => {
    confirm.disabled = true;
    problemBox.replaceChildren();
    try {
      const message = await proposal.run(input.value.trim());
      if (current === proposal) dialog.close();
      onDone(message);
    } catch (error) {
      const problem = error instanceof Problem ? error : new Problem("The page has a fault", String(error));
      if (current === proposal) {
        showProblem(problemBox, problem);
        // Nothing is left to be called off.
        setText(cancel, "Close");
      } else onProblem(problem);
    }
    if (current === proposal) confirm.disabled = false;
  };

  byId("dialog-form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (current !== null && !confirm.disabled) run(current);
  });
  cancel.addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // beside the box
  });
  dialog.addEventListener("close", () => {
    if (dialog.open) return; // the event comes late: another proposal is shown by now
    current = null;
    if (document.activeElement === document.body && opener?.isConnected) opener.focus();
  });

  return {
    /**
     * @param {Proposal} proposal
     * @param {HTMLElement} from Gets the focus back.
     */
    open(proposal, from) {
      current = proposal;
      opener = from;
      setText(byId("dialog-title"), proposal.title);
      byId("dialog-text").replaceChildren(...proposal.text.map((text) => textElement("p", text)));
      showField(input, proposal.field);
      problemBox.replaceChildren();
      setText(confirm, proposal.confirm);
      setText(cancel, "Cancel");
      setAttribute(confirm, "data-danger", String(proposal.danger));
      confirm.disabled = false;
      dialog.showModal();
      (proposal.field ? input : cancel).focus();
      if (proposal.field) input.select();
    },
  };
}

/**
 * @param {HTMLInputElement} input
 * @param {Field | null} field
 */
function showField(input, field) {
  byId("dialog-field").hidden = field === null;
  const number = field?.kind === "number";
  input.type = number ? "number" : "text";
  input.min = number ? "0" : "";
  input.max = number ? "256" : "";
  input.step = number ? "1" : "";
  input.required = number;
  input.inputMode = number ? "numeric" : "text";
  if (field?.kind === "duration") input.pattern = DURATION;
  else input.removeAttribute("pattern");
  input.title = field?.hint ?? "";
  input.value = field?.value ?? "";
  setText(byId("dialog-label"), field?.label ?? "");
  setText(byId("dialog-hint"), field?.hint ?? "");
}

/**
 * @param {HTMLElement} box
 * @param {Problem} problem
 */
function showProblem(box, problem) {
  const faults = document.createElement("ul");
  faults.append(...problem.faults.map((fault) => textElement("li", fault)));
  box.replaceChildren(
    textElement("strong", problem.title),
    ...(problem.detail === "" ? [] : [textElement("p", problem.detail)]),
    ...(problem.faults.length === 0 ? [] : [faults]),
  );
}
