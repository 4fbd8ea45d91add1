// Frames a second over the last hour.
import { h, rate } from "./dom.js";

const width = 360, height = 132, left = 34, right = 2, top = 8, bottom = 20;
const space = "http://www.w3.org/2000/svg";

function draw(tag, attributes, text) {
  const element = document.createElementNS(space, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

/** A round number not below `value`, whose half is a good mark too. */
export function ceiling(value) {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 3, 4, 5, 6, 8, 10].map((step) => step * power).find((limit) => limit >= value * 1.02) ?? 20 * power;
}

export function plot(parent, points) {
  const end = points.length ? points.at(-1).time : Date.now() / 1000, start = end - 3600;
  const shown = points.filter((point) => point.time >= start);
  const limit = ceiling(Math.max(0, ...shown.map((point) => point.frames_per_second)));
  const x = (time) => left + ((time - start) / 3600) * (width - left - right);
  const y = (value) => top + (1 - value / limit) * (height - top - bottom);

  const latest = shown.at(-1)?.frames_per_second ?? 0, highest = Math.max(0, ...shown.map((point) => point.frames_per_second));
  const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, class: "plot", role: "img",
    "aria-label": `Frames a second over the last hour: now ${rate(latest)}, at most ${rate(highest)}` });
  for (const value of [0, limit / 2, limit]) {
    svg.append(draw("line", { x1: left, x2: width - right, y1: y(value), y2: y(value), class: value ? "grid" : "axis" }));
    svg.append(draw("text", { x: left - 7, y: y(value) + 3.5, class: "mark", "text-anchor": "end" }, String(+value.toFixed(2))));
  }
  for (const minutes of [60, 45, 30, 15, 0]) {
    const anchor = minutes === 60 ? "start" : minutes === 0 ? "end" : "middle";
    svg.append(draw("text", { x: x(end - minutes * 60), y: height - 5, class: "mark", "text-anchor": anchor }, minutes === 60 ? "−60 min" : minutes ? `−${minutes}` : "now"));
  }
  if (shown.length > 1) {
    const line = shown.map((point, at) => `${at ? "L" : "M"}${x(point.time).toFixed(1)} ${y(point.frames_per_second).toFixed(1)}`).join("");
    svg.append(draw("path", { d: `${line}L${x(shown.at(-1).time).toFixed(1)} ${y(0)}L${x(shown[0].time).toFixed(1)} ${y(0)}Z`, class: "area" }));
    svg.append(draw("path", { d: line, class: "line" }));
  }
  follow(svg, shown, x, y, start);
  parent.replaceChildren(svg);
}

/** The value under the pointer. */
function follow(svg, points, x, y) {
  const cross = draw("g", { class: "cross", visibility: "hidden" });
  const line = draw("line", { y1: top, y2: height - bottom }), dot = draw("circle", { r: 3 }), text = draw("text", { y: top + 8 });
  cross.append(line, dot, text);
  svg.append(cross);
  svg.addEventListener("pointermove", (event) => {
    if (!points.length) return;
    const at = ((event.clientX - svg.getBoundingClientRect().left) / svg.clientWidth) * width;
    const point = points.reduce((best, next) => (Math.abs(x(next.time) - at) < Math.abs(x(best.time) - at) ? next : best));
    const px = x(point.time), isRight = px > width * 0.6;
    line.setAttribute("x1", px);
    line.setAttribute("x2", px);
    dot.setAttribute("cx", px);
    dot.setAttribute("cy", y(point.frames_per_second));
    text.setAttribute("x", px + (isRight ? -7 : 7));
    text.setAttribute("text-anchor", isRight ? "end" : "start");
    const clock = new Date(point.time * 1000).toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" });
    text.textContent = `${clock}  ${rate(point.frames_per_second)} fps`;
    cross.setAttribute("visibility", "visible");
  });
  svg.addEventListener("pointerleave", () => cross.setAttribute("visibility", "hidden"));
}

export function throughputNow(points) {
  return points.length ? [h("b", {}, rate(points.at(-1).frames_per_second)), " frames a second"] : [];
}
