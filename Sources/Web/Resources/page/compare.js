// The frame that is being worked on, before and after, with a slider between them.
import { h } from "./dom.js";

const interval = 2000;

/**
 * `address` is the folder of `before.jpg` and `after.jpg`. Pictures are fetched only while they can be seen, and both change at
 * once. The element's "gone" event ends it.
 */
export function compare(address, label) {
  const before = h("img", { alt: "", class: "before", draggable: false });
  const after = h("img", { alt: "", class: "after", draggable: false });
  const range = h("input", { type: "range", min: 0, max: 100, step: 1, value: 50, "aria-label": `${label}: how much of the original is shown` });
  const shade = h("p", { class: "shade" }, "No picture yet");
  const stage = h("div", { class: "compare is-empty" }, before, h("div", { class: "cover" }, after), h("span", { class: "handle" }),
    h("span", { class: "tag left" }, "original"), h("span", { class: "tag right" }, "translated"), range, shade);
  const split = () => stage.style.setProperty("--split", `${range.value}%`);
  range.addEventListener("input", split);
  split();

  let timer, isSeen = false, isGone = false, isBusy = false;
  const seen = new IntersectionObserver((entries) => {
    isSeen = entries.at(-1).isIntersecting;
    if (isSeen) refresh();
  });
  seen.observe(stage);
  const woken = () => { if (!document.hidden) refresh(); };
  document.addEventListener("visibilitychange", woken);

  async function refresh() {
    clearTimeout(timer);
    if (isGone || !isSeen || document.hidden || isBusy) return;
    isBusy = true;
    try {
      const pair = await Promise.all(["before", "after"].map(load));
      if (!isGone && pair.every(Boolean)) show(pair);
      else for (const picture of pair) if (picture) URL.revokeObjectURL(picture.src);
    } finally {
      isBusy = false;
      if (!isGone) timer = setTimeout(refresh, interval);
    }
  }

  async function load(side) {
    try {
      const response = await fetch(`${address}/${side}.jpg`, { cache: "no-store" });
      if (response.status !== 200) return null;
      const picture = new Image();
      picture.src = URL.createObjectURL(await response.blob());
      await picture.decode();
      return picture;
    } catch {
      return null;
    }
  }

  function show(pair) {
    for (const [image, picture] of [[before, pair[0]], [after, pair[1]]]) {
      if (image.src) URL.revokeObjectURL(image.src);
      image.src = picture.src;
    }
    stage.classList.remove("is-empty");
  }

  stage.addEventListener("gone", () => {
    isGone = true;
    clearTimeout(timer);
    seen.disconnect();
    document.removeEventListener("visibilitychange", woken);
    for (const image of [before, after]) if (image.src) URL.revokeObjectURL(image.src);
  });
  return stage;
}
