// Jobs: cards of the running ones, rows of the others, everything about one in a dialog.
import { ago, bytes, count, duration, fileName, h, keyed, moment, note, rate, setText } from "./dom.js";
import { ask, jobs as fetchJobs } from "./api.js";
import { compare } from "./compare.js";

const words = {
  queued: "Waiting", probing: "Reading", running: "Translating", verifying: "Checking", done: "Done", failed: "Failed", cancelled: "Cancelled",
};
const verbs = { retry: "Retry", cancel: "Cancel", pause: "Pause", resume: "Resume" };
const asked = { retry: "will be tried again", cancel: "is cancelled", pause: "pauses", resume: "goes on" };
const requested = { cancel: "Cancelling", pause: "Pausing", resume: "Resuming", retry: "Retrying" };

/** Asks for something and says what came of it; the list follows by the event stream. */
export async function act(button, job, action) {
  button.disabled = true;
  try {
    await ask(job.id, action);
    note(`${job.file} ${asked[action]}.`);
  } catch (failure) {
    note(`${job.file}: ${failure.message}.`, true);
  } finally {
    button.disabled = false;
  }
}

/** Cancelling throws work away: the first press asks, the second one does it. */
function button(job, action) {
  const element = h("button", { class: action === "retry" && job.state === "failed" ? "act primary" : "act", "data-action": action, "aria-label": `${verbs[action]} ${job.file}` }, verbs[action]);
  let timer;
  element.addEventListener("click", () => {
    if (action === "cancel" && !element.classList.contains("is-sure")) {
      element.classList.add("is-sure");
      element.textContent = "Really cancel?";
      timer = setTimeout(calm, 4000);
      return;
    }
    calm();
    act(element, job, action);
  });
  function calm() {
    clearTimeout(timer);
    element.classList.remove("is-sure");
    element.textContent = verbs[action];
  }
  return element;
}

function buttons(parent, job) {
  keyed(parent, job.request ? [] : job.actions, (action) => action, (action) => button(job, action), () => {});
}

function title(job) {
  return h("button", { class: "name", title: job.file, "aria-label": `${job.file}, details`, onclick: () => details(job) }, fileName(job.file));
}

/** The line that says how far it is. */
function pace(job) {
  if (job.request) return `${requested[job.request]} …`;
  if (job.state === "probing") return "Reading the source";
  if (job.state === "verifying") return "Joining and checking the result";
  const parts = [];
  if (job.frames_per_second) parts.push(`${rate(job.frames_per_second)} fps`);
  if (job.seconds_left !== undefined) parts.push(`${duration(job.seconds_left)} left`);
  return parts.join(" · ") || "Starting";
}

function frames(job) {
  const done = count(job.frames_rendered);
  return job.frames_total ? `${done} of ${count(job.frames_total)} frames` : `${done} frames`;
}

function createCard(job) {
  const picture = compare(`/api/v1/jobs/${job.id}`, job.file);
  const bar = h("div", { class: "bar", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100, "aria-label": `Progress of ${job.file}` }, h("span"));
  const card = h("article", { class: "card" }, picture, h("div", { class: "facts" },
    h("h3", {}, title(job)), h("p", { class: "sub" }),
    h("p", { class: "big" }, h("b"), h("span")), bar, h("p", { class: "line" }, h("span"), h("span")), h("div", { class: "buttons" })));
  card.addEventListener("gone", () => picture.dispatchEvent(new CustomEvent("gone")));
  return card;
}

function updateCard(card, job) {
  card.job = job;
  card.querySelector(".name").onclick = () => details(job);
  setText(card.querySelector(".sub"), `${job.folder} · ${words[job.state]}${job.attempts > 1 ? ` · attempt ${job.attempts}` : ""}`);
  const part = job.state === "verifying" ? 1 : job.progress;
  const percent = part === undefined ? undefined : Math.floor(part * 1000) / 10;
  setText(card.querySelector(".big b"), percent === undefined ? words[job.state] : `${percent.toFixed(percent < 100 ? 1 : 0)} %`);
  setText(card.querySelector(".big span"), pace(job));
  const bar = card.querySelector(".bar");
  bar.classList.toggle("is-unknown", percent === undefined);
  bar.firstElementChild.style.width = `${percent ?? 100}%`;
  if (percent === undefined) bar.removeAttribute("aria-valuenow");
  else bar.setAttribute("aria-valuenow", Math.round(percent));
  const [left, right] = card.querySelectorAll(".line span");
  setText(left, frames(job));
  setText(right, job.note ?? (job.started ? `started ${ago(job.started)}` : ""));
  buttons(card.querySelector(".buttons"), job);
}

function createRow(job) {
  return h("li", { class: "row" }, h("div", { class: "what" }, title(job), h("p", { class: "why" })), h("p", { class: "meta" }), h("div", { class: "buttons" }));
}

/** Why it failed or waits, and what is to be known of a result. */
function reason(job) {
  if (job.state === "failed" && job.failure) return job.failure.text;
  if (job.state === "queued") {
    if (job.request) return `${requested[job.request]} …`;
    if (job.note) return job.note;
    if (job.hold === "user") return "Paused";
    return job.frames_done ? `${count(job.frames_done)} of ${job.frames_total ? count(job.frames_total) : "its"} frames are safe` : "";
  }
  return job.notices.join(" · ");
}

function meta(job) {
  switch (job.state) {
    case "failed": return [job.folder, job.attempts > 1 ? `${job.attempts} attempts` : null, job.finished ? ago(job.finished) : null];
    case "queued": return [job.folder, bytes(job.source_bytes)];
    case "cancelled": return [job.folder, "cancelled", job.finished ? ago(job.finished) : null];
    default: return [
      job.folder, job.frames_rendered ? `${count(job.frames_rendered)} frames` : null,
      job.copy_of ? `copied from job ${job.copy_of}` : job.busy_seconds ? `in ${duration(job.busy_seconds)}` : null,
      job.output_bytes ? bytes(job.output_bytes) : null, job.finished ? ago(job.finished) : null];
  }
}

function updateRow(row, job) {
  row.job = job;
  row.className = `row is-${job.state}${job.hold ? ` is-held hold-${job.hold}` : ""}`;
  row.querySelector(".name").onclick = () => details(job);
  setText(row.querySelector(".why"), reason(job));
  setText(row.querySelector(".meta"), meta(job).filter(Boolean).join(" · "));
  const parent = row.querySelector(".buttons");
  if (job.state !== "done") return buttons(parent, job);
  if (!parent.firstElementChild) {
    parent.append(h("a", { class: "act", href: `/api/v1/jobs/${job.id}/result`, download: "", "aria-label": `Download ${job.file}` }, "Download"));
  }
}

/** One list of the page; `more` are older pages that were asked for. */
export class JobList {
  constructor(id, states, { cards = false, oldestFirst = false, staysVisible = false } = {}) {
    this.section = document.getElementById(id);
    this.list = this.section.querySelector("[data-list]");
    this.empty = this.section.querySelector("[data-empty]");
    this.moreButton = this.section.querySelector("[data-more]");
    Object.assign(this, { states, cards, oldestFirst, staysVisible, newest: [], older: [] });
    this.moreButton?.addEventListener("click", () => this.fetchMore());
  }

  /** What the event stream says: the newest ones, and where the rest begins. */
  show({ jobs, next }) {
    this.newest = jobs;
    this.next = next;
    // Older ones that have moved up, or left the state, are not shown twice.
    if (next === undefined) this.older = [];
    else this.older = this.older.filter((job) => job.id < jobs.at(-1).id);
    this.render();
  }

  async fetchMore() {
    this.moreButton.disabled = true;
    try {
      const { jobs, next } = await fetchJobs(this.states, this.older.at(-1)?.id ?? this.next);
      this.older.push(...jobs);
      this.end = next === undefined;
      this.render();
    } catch (failure) {
      note(`The list could not be fetched: ${failure.message}.`, true);
    } finally {
      this.moreButton.disabled = false;
    }
  }

  render() {
    let jobs = [...this.newest, ...this.older];
    const isWhole = this.next === undefined;
    // The one that comes next stands first, where all are known.
    if (this.oldestFirst && isWhole) jobs = jobs.reverse();
    keyed(this.list, jobs, (job) => job.id, this.cards ? createCard : createRow, this.cards ? updateCard : updateRow);
    if (this.empty) this.empty.hidden = jobs.length > 0;
    if (!this.staysVisible) this.section.hidden = jobs.length === 0;
    if (this.moreButton) this.moreButton.hidden = isWhole || (this.older.length > 0 && this.end);
  }

  /** Times that have gone by are written anew. */
  refresh() { this.render(); }
}

/** Everything that is known of a job. */
export function details(job) {
  const dialog = document.getElementById("details");
  const lines = [
    ["State", words[job.state] + (job.request ? `, ${requested[job.request].toLowerCase()}` : "")],
    ["Why", job.failure?.text ?? job.note],
    ["Next attempt", job.not_before && job.state === "queued" ? moment(job.not_before) : null],
    ["Source", `${job.source} (${bytes(job.source_bytes)})`],
    ["Result", job.output_bytes ? `${job.target} (${bytes(job.output_bytes)})` : job.target],
    ["Settings", job.settings.join(" ") || "as they come"],
    ["Source afterwards", { keep: "is kept", move: "is moved", delete: "is deleted" }[job.after]],
    ["Frames", job.frames_rendered || job.frames_total ? frames(job) : null],
    ["Attempts", job.attempts ? count(job.attempts) : null],
    ["Time spent", job.busy_seconds ? duration(job.busy_seconds) : null],
    ["Copied from", job.copy_of ? `job ${job.copy_of}, of the same content` : null],
    ["Taken over by", job.replaced_by ? `job ${job.replaced_by}, as the file has changed` : null],
    ["Found", moment(job.created)], ["Started", job.started ? moment(job.started) : null], ["Finished", job.finished ? moment(job.finished) : null],
    ["Content (SHA-256)", job.content_hash],
    ...job.notices.map((text) => ["Note", text]),
  ];
  dialog.replaceChildren(
    h("h2", { id: "details-title" }, job.file), h("p", { class: "sub" }, `Job ${job.id} of ${job.folder}`),
    h("dl", {}, lines.filter(([, text]) => text).map(([name, text]) => h("div", {}, h("dt", {}, name), h("dd", { class: text.startsWith("/") ? "path" : null }, text)))),
    h("form", { method: "dialog" }, h("button", { class: "primary" }, "Close")));
  dialog.showModal();
}
