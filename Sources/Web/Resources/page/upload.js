// Files by drag and drop, or chosen, into a watch folder: a few at a time, each with its progress.
import { bytes, duration, h, keyed, note } from "./dom.js";
import { problemText } from "./api.js";

const atOnce = 2;
const waiting = [];
let running = 0, limit = Infinity, folders = [];

export function configure(newLimit, newFolders) {
  limit = newLimit;
  folders = newFolders;
}

export function add(folder, files) {
  for (const file of files) {
    const entry = createEntry(folder, file);
    document.getElementById("uploads").append(entry.item);
    if (file.size > limit) entry.fail(`has more than the ${bytes(limit)} that are allowed`);
    else if (file.size === 0) entry.fail("is empty");
    else waiting.push(entry);
  }
  next();
}

function next() {
  while (running < atOnce && waiting.length) {
    running += 1;
    waiting.shift().send().finally(() => {
      running -= 1;
      next();
    });
  }
}

function createEntry(folder, file) {
  const text = h("p", { class: "why" }, "waits");
  const bar = h("div", { class: "bar", role: "progressbar", "aria-valuemin": 0, "aria-valuemax": 100, "aria-label": `Upload of ${file.name}` }, h("span"));
  const stop = h("button", { class: "act", "aria-label": `Stop the upload of ${file.name}` }, "Stop");
  const item = h("li", { "data-state": "waiting" }, h("div", {}, h("p", { class: "name" }, file.name), text, bar), stop);
  const transfer = new XMLHttpRequest();
  let isStopped = false, start;
  const leave = (after) => setTimeout(() => item.remove(), after);

  stop.addEventListener("click", () => {
    isStopped = true;
    transfer.abort();
    item.remove();
  });

  function fail(reason) {
    item.dataset.state = "failed";
    text.textContent = reason;
    bar.remove();
    stop.textContent = "Dismiss";
    stop.setAttribute("aria-label", `Dismiss ${file.name}`);
    note(`${file.name} ${reason}.`, true);
  }

  transfer.upload.addEventListener("progress", (event) => {
    const part = event.loaded / file.size, seconds = (Date.now() - start) / 1000;
    bar.firstElementChild.style.width = `${part * 100}%`;
    bar.setAttribute("aria-valuenow", Math.floor(part * 100));
    const left = seconds > 1 && part < 1 ? ` · ${duration((seconds / part) * (1 - part))} left` : "";
    text.textContent = part < 1 ? `${bytes(event.loaded)} of ${bytes(file.size)}${left}` : "being written to the disk";
  });

  function send() {
    if (isStopped) return Promise.resolve();
    item.dataset.state = "running";
    start = Date.now();
    return new Promise((resolve) => {
      transfer.addEventListener("loadend", async () => {
        if (transfer.status === 201) {
          item.dataset.state = "done";
          text.textContent = `is in ${folder}`;
          bar.remove();
          stop.remove();
          note(`${file.name} is in ${folder}.`);
          leave(8000);
        } else if (!isStopped) {
          const reason = transfer.status === 0 ? "the connection broke" : await problemText(transfer.status, async () => JSON.parse(transfer.responseText));
          fail(`was not taken: ${reason}`);
        }
        resolve();
      });
      transfer.open("PUT", `/api/v1/folders/${encodeURIComponent(folder)}/files/${encodeURIComponent(file.name)}`);
      transfer.setRequestHeader("Content-Type", "application/octet-stream");
      transfer.send(file);
    });
  }

  return { item, send, fail };
}

/** The whole page takes files; with several folders one is chosen by where they are dropped. */
export function acceptDrops() {
  const layer = document.getElementById("drop"), targets = document.getElementById("drop-folders");
  const hasFiles = (event) => [...event.dataTransfer.types].includes("Files");
  const hide = () => { layer.hidden = true; };

  document.addEventListener("dragenter", (event) => {
    if (!hasFiles(event) || !folders.length) return;
    keyed(targets, folders, (folder) => folder.name, (folder) => h("div", { class: "target", "data-folder": folder.name }, h("b", {}, folder.name), h("span", {}, folder.input)), () => {});
    layer.hidden = false;
  });
  document.addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    const target = event.target.closest?.(".target");
    for (const each of targets.children) each.classList.toggle("is-over", each === target);
    event.dataTransfer.dropEffect = target || folders.length === 1 ? "copy" : "none";
  });
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) hide(); });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  document.addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    const folder = event.target.closest?.(".target")?.dataset.folder ?? (folders.length === 1 ? folders[0].name : undefined);
    hide();
    if (folder !== undefined) add(folder, [...event.dataTransfer.files]);
  });
}
