// Building and updating the page, and how quantities are written.

/** An element; `properties` are set as they are, except `class`, `data-…`, `aria-…` and `on…`. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name.includes("-") || name === "role" || name === "for") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Writes only what has changed: selections, and what a screen reader has said already, stay. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Brings the children of `parent` in line with `items`; an element lives as long as its item, with focus and all. */
export function keyed(parent, items, keyOf, create, update) {
  const old = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let at = parent.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    let element = old.get(key);
    if (element) old.delete(key);
    else {
      element = create(item);
      element.dataset.key = key;
    }
    update(element, item);
    if (element === at) at = at.nextElementSibling;
    else parent.insertBefore(element, at);
  }
  for (const element of old.values()) {
    element.dispatchEvent(new CustomEvent("gone"));
    element.remove();
  }
}

const whole = new Intl.NumberFormat("en");

export const count = (number) => whole.format(number);

export function rate(fps) {
  if (fps === undefined || fps === null) return "–";
  return fps >= 100 ? count(Math.round(fps)) : fps.toFixed(fps >= 10 ? 1 : 2);
}

export function bytes(number) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (Math.abs(number) >= 1024 && unit < units.length - 1) {
    number /= 1024;
    unit += 1;
  }
  return `${unit === 0 || number >= 100 ? Math.round(number) : number.toFixed(1)} ${units[unit]}`;
}

export function duration(seconds) {
  seconds = Math.max(0, Math.round(seconds));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10 && seconds % 60) return `${minutes} min ${seconds % 60} s`;
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return `${Math.floor(hours / 24)} days`;
}

// The server's clock counts: the browser's may be wrong.
let clockOffset = 0;
export const setClock = (time) => { clockOffset = Date.parse(time) - Date.now(); };
export const now = () => Date.now() + clockOffset;

export function ago(moment) {
  const seconds = (now() - Date.parse(moment)) / 1000;
  if (seconds < 45) return "just now";
  return `${duration(seconds < 3600 ? Math.ceil(seconds / 60) * 60 : seconds)} ago`;
}

export function moment(text) {
  return new Date(text).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
}

/** A line at the page's edge that goes by itself; failures stay longer. */
export function note(text, isBad = false) {
  const line = h("p", { class: isBad ? "note bad" : "note" }, text);
  const notes = document.getElementById("notes");
  notes.append(line);
  while (notes.children.length > 4) notes.firstElementChild.remove();
  setTimeout(() => line.remove(), isBad ? 12000 : 5000);
}

/** The name split so that its end, where clips of a series differ, is never cut off. */
export function fileName(path) {
  const tail = path.length > 16 ? path.slice(-12) : "";
  return [h("span", { class: "stem" }, path.slice(0, path.length - tail.length)), h("span", { class: "tail" }, tail)];
}
