// @ts-check
/// <reference lib="dom" />
/// <reference lib="dom.iterable" />

/** The few ways in which the page is changed: text only ever as text, and only where it differs. */

/**
 * @param {string} id
 * @return {HTMLElement}
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`Cannot find #${id} in the page`);
  return element;
}

/**
 * The element of the page with an id, of a type.
 *
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} type
 * @return {T}
 */
export function byIdAs(id, type) {
  const element = byId(id);
  if (!(element instanceof type)) throw new Error(`#${id} is not a ${type.name}`);
  return element;
}

/**
 * A new copy of the first element of a template.
 *
 * @param {string} id
 * @return {HTMLElement}
 */
export function stamp(id) {
  const first = byIdAs(id, HTMLTemplateElement).content.firstElementChild;
  if (first === null) throw new Error(`Cannot copy #${id}: it is empty`);
  return /** @type {HTMLElement} */ (first.cloneNode(true));
}

/**
 * @typedef {{
 *   root: HTMLElement,
 *   get: (name: string) => HTMLElement,
 *   put: (name: string, text: string) => void,
 *   putFigure: (name: string, text: string, value: number | null) => void,
 * }} Parts
 *
 * The elements of a copy that are marked with `data-part`. `putFigure` also marks a figure that is nothing, which is
 * then shown more quietly.
 */

/**
 * @param {HTMLElement} root
 * @return {Parts}
 */
export function partsOf(root) {
  /** @type {Map<string, HTMLElement>} */
  const parts = new Map();
  /** @type {Map<string, string>} */
  const texts = new Map();
  for (const element of root.querySelectorAll("[data-part]")) {
    if (element instanceof HTMLElement) parts.set(element.dataset.part ?? "", element);
  }
  const get = (/** @type {string} */ name) => {
    const element = parts.get(name);
    if (element === undefined) throw new Error(`Cannot find the part ${name}`);
    return element;
  };
  const put = (/** @type {string} */ name, /** @type {string} */ text) => {
    if (texts.get(name) === text) return;
    texts.set(name, text);
    setText(get(name), text);
  };
  return {
    root,
    get,
    put,
    putFigure(name, text, value) {
      if (texts.get(name) !== text) setAttribute(get(name), "data-none", String(!value));
      put(name, text);
    },
  };
}

/**
 * A new element with a text.
 *
 * @param {string} tag
 * @param {string} text
 * @param {string} [className]
 */
export function textElement(tag, text, className = "") {
  const element = document.createElement(tag);
  element.textContent = text;
  if (className !== "") element.className = className;
  return element;
}

/**
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * @param {Element} element
 * @param {string} name
 * @param {string} value
 */
export function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/**
 * @param {HTMLElement} element
 * @param {boolean} hidden
 */
export function setHidden(element, hidden) {
  if (element.hidden !== hidden) element.hidden = hidden;
}

/**
 * Puts children into an order, moving only those that are not in place.
 *
 * @param {Element} parent
 * @param {readonly Element[]} children
 */
export function setOrder(parent, children) {
  let place = parent.firstElementChild;
  for (const child of children) {
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
  }
}
