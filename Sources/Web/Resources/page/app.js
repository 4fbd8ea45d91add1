// Puts the page together: who may see it, what the server tells, where it goes.
import { count, h, keyed, note, setClock, setText } from "./dom.js";
import { listen, logIn, logOut, session } from "./api.js";
import { JobList, act } from "./jobs.js";
import { plot, throughputNow } from "./plot.js";
import { folders, footer, machine, relays } from "./service.js";
import * as upload from "./upload.js";

const $ = (id) => document.getElementById(id);
const lists = {
  active: new JobList("running", ["probing", "running", "verifying"], { cards: true, staysVisible: true, oldestFirst: true }),
  failed: new JobList("failed", ["failed"]),
  queued: new JobList("queued", ["queued"], { oldestFirst: true }),
  finished: new JobList("finished", ["done", "cancelled"], { staysVisible: true }),
};

function showLink(state, text) {
  $("link").className = `link is-${state}`;
  setText($("link-text"), text);
}

function showTally(counts) {
  const running = counts.probing + counts.running + counts.verifying;
  const entries = [["running", running, "running"], ["queued", counts.queued, "waiting"], ["failed", counts.failed, "failed"], ["finished", counts.done, "done"]];
  keyed($("tally"), entries, ([id]) => id, ([id]) => h("a", { href: `#${id}` }, h("b"), h("span")), (link, [id, number, word]) => {
    setText(link.firstElementChild, count(number));
    setText(link.lastElementChild, word);
    link.className = id === "failed" && number ? "is-bad" : number ? "" : "is-none";
  });
  document.title = running ? `${running} running – solstice` : "solstice";
}

function showBanner(text, isBad = true) {
  $("banner").hidden = !text;
  $("banner").classList.toggle("bad", isBad);
  setText($("banner"), text ?? "");
}

function showStatus(status) {
  setClock(status.time);
  showTally(status.jobs);
  relays(status.relays);
  folders(status.folders, upload.add);
  upload.configure(status.upload_limit, status.folders);
  machine(status);
  footer(status);
  const low = status.disks.filter((disk) => disk.free < disk.floor).map((disk) => disk.use);
  if (!status.is_ready) showBanner(`Not ready: ${status.reason ?? "no reason is known"}`);
  else if (low.length) showBanner(`Jobs pause until there is room again: ${low.join(", ")}`);
  else showBanner(null);
  $("running").querySelector("[data-empty]").textContent = status.jobs.queued
    ? "Nothing is being translated now; what waits says why." : "Nothing is being translated.";
}

function showFailed(list) {
  lists.failed.show(list);
  const button = $("retry-all");
  button.hidden = list.jobs.length < 2;
  button.onclick = async () => {
    button.disabled = true;
    for (const job of list.jobs) await act(button, job, "retry");
    button.disabled = false;
  };
}

let points = [];
function showThroughput(list) {
  points = list;
  plot($("plot"), points);
  $("throughput-now").replaceChildren(...throughputNow(points));
}

function start(needsToken) {
  $("login").hidden = true;
  $("page").hidden = false;
  $("log-out").hidden = !needsToken;
  listen({
    status: showStatus, throughput: showThroughput, failed: showFailed,
    active: (list) => lists.active.show(list), queued: (list) => lists.queued.show(list), finished: (list) => lists.finished.show(list),
    trouble: (problem) => showBanner(problem.remedy ? `${problem.message}; ${problem.remedy}` : problem.message),
  }, {
    connected: () => showLink("live", "Live"),
    lost: () => showLink("lost", "Connection lost, trying again"),
    refused: () => location.reload(),
  });
  upload.acceptDrops();
  setInterval(() => { for (const list of Object.values(lists)) list.refresh(); }, 20000);
}

function askForToken() {
  $("page").hidden = true;
  $("login").hidden = false;
  showLink("closed", "Not logged in");
  $("token").focus();
  $("login").addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      await logIn($("token").value);
      $("token").value = "";
      start(true);
    } catch (failure) {
      setText($("login-problem"), failure.message);
      $("token").value = "";
      $("token").focus();
    }
  });
}

$("log-out").addEventListener("click", async () => {
  try {
    await logOut();
    location.reload();
  } catch (failure) {
    note(failure.message, true);
  }
});

async function begin() {
  try {
    const answer = await session();
    if (answer.is_allowed) start(answer.needs_token);
    else askForToken();
  } catch {
    showLink("lost", "The server cannot be reached");
    setTimeout(begin, 3000);
  }
}
begin();
