// Relays, watch folders, and the machine that it all runs on.
import { bytes, count, duration, h, keyed, rate, setText } from "./dom.js";
import { compare } from "./compare.js";

const states = {
  starting: "Starting", connecting: "Connecting", playing: "Playing", lost: "Source lost", restarting: "Restarting", stopped: "Stopped",
};
const milliseconds = (seconds) => (seconds === undefined ? "–" : `${Math.round(seconds * 1000)} ms`);

export function relays(list) {
  const section = document.getElementById("relays");
  section.hidden = list.length === 0;
  keyed(section.querySelector("[data-list]"), list, (relay) => relay.name, createRelay, updateRelay);
}

function createRelay(relay) {
  const picture = compare(`/api/v1/relays/${encodeURIComponent(relay.name)}`, relay.name);
  const names = ["In", "Out", "Delay", "95 % within", "Dropped", "Reconnects", "Readers"];
  const card = h("article", { class: "card relay" }, picture, h("div", { class: "facts" },
    h("h3", {}, relay.name, " ", h("span", { class: "state" })), h("p", { class: "sub" }),
    h("dl", { class: "gauges" }, names.map((name) => h("div", {}, h("dt", {}, name), h("dd")))), h("p", { class: "why" })));
  card.addEventListener("gone", () => picture.dispatchEvent(new CustomEvent("gone")));
  return card;
}

function updateRelay(card, relay) {
  const badge = card.querySelector(".state");
  setText(badge, states[relay.state] ?? relay.state);
  badge.className = `state is-${relay.state}`;
  setText(card.querySelector(".sub"), relay.source);
  const values = [
    `${rate(relay.fps_in)} fps`, `${rate(relay.fps_out)} fps`, milliseconds(relay.latency_p50), milliseconds(relay.latency_p95),
    relay.dropped === undefined ? "–" : count(relay.dropped), count(relay.reconnects ?? 0), count(relay.readers ?? 0),
  ];
  card.querySelectorAll("dd").forEach((field, at) => setText(field, values[at]));
  const restarts = relay.starts > 1 ? `Started ${relay.starts} times.` : "";
  setText(card.querySelector(".why"), [relay.reason, restarts].filter(Boolean).join(" "));
}

/** Watch folders, with a button that takes files. */
export function folders(list, choose) {
  keyed(document.getElementById("folders"), list, (folder) => folder.name, (folder) => {
    const input = h("input", { type: "file", multiple: true, accept: "video/*,.mkv,.ts,.mts,.m2ts", id: `files-${folder.name}`, "data-folder": folder.name });
    input.addEventListener("change", () => {
      choose(folder.name, [...input.files]);
      input.value = "";
    });
    return h("li", {}, h("div", {}, h("h3", {}, folder.name), h("p", { class: "sub" }), h("p", { class: "why" })),
      h("label", { class: "act file" }, input, h("span", {}, "Add files"), h("span", { class: "unseen" }, ` to ${folder.name}`)));
  }, (item, folder) => {
    item.className = folder.state === "watching" ? "" : "is-paused";
    setText(item.querySelector(".sub"), `${folder.input} → ${folder.output}`);
    item.querySelector(".sub").title = `${folder.input} → ${folder.output}`;
    const settling = folder.settling ? `${count(folder.settling)} still being written` : "";
    setText(item.querySelector(".why"), folder.state === "watching" ? settling : `Paused: ${folder.reason ?? "not watched now"}`);
  });
}

function meter(name, text, part, { isBad = false, mark } = {}) {
  const bar = h("div", { class: isBad ? "meter is-bad" : "meter", "aria-hidden": "true" }, h("span"), mark === undefined ? null : h("i"));
  bar.firstElementChild.style.width = `${Math.min(100, Math.max(0, part * 100))}%`;
  if (mark !== undefined) bar.lastElementChild.style.left = `${Math.min(100, mark * 100)}%`;
  return h("div", { class: "gauge" }, h("p", {}, h("span", {}, name), h("span", {}, text)), bar);
}

export function machine(status) {
  const { cpu, disks } = status;
  const rows = [
    meter("Processor", `${cpu.own.toFixed(1)} of ${cpu.cores} cores, machine ${cpu.machine.toFixed(1)}`, cpu.own / cpu.cores, { mark: cpu.machine / cpu.cores }),
    h("div", { class: "gauge" }, h("p", {}, h("span", {}, "Memory"), h("span", {}, `${bytes(cpu.resident_own)} + ${bytes(cpu.resident_children)} workers`))),
    ...disks.map((disk) => {
      const isBad = disk.free < disk.floor;
      const text = isBad ? `${bytes(disk.free)} free, below ${bytes(disk.floor)}` : `${bytes(disk.free)} free of ${bytes(disk.total)}`;
      // Used from the left; the mark is where the floor begins.
      return meter(disk.use, text, 1 - disk.free / disk.total, { isBad, mark: 1 - disk.floor / disk.total });
    }),
  ];
  document.getElementById("machine").replaceChildren(...rows);
}

export function footer(status) {
  setText(document.getElementById("footer"), `solstice ${status.version} · up ${duration(status.uptime)}`);
}
