#!/usr/bin/env python3
"""Measures the daemon from outside: pick-up delay, overhead against plain `convert`, time lost by a kill, memory of an idle
daemon, and requests per second of /metrics while it converts.

    figures.py [--solstice .build/release/solstice] [--only pickup,overhead,kill,memory,metrics] [--clips 20]

Prints one JSON object with all figures, and a line for each as it is known on standard error. Needs ffmpeg; wrk where it is
installed, else requests come from threads of this program.
"""
import argparse, json, os, pathlib, re, shutil, signal, statistics, subprocess, sys, tempfile, threading, time, urllib.request

SIZE, NETWORK = "640x360", "512x256"


def clip(path, seconds, hue=0):
    subprocess.run(
        ["ffmpeg", "-v", "error", "-nostdin", "-y", "-f", "lavfi", "-i", f"testsrc2=size={SIZE}:rate=25:duration={seconds},hue=h={hue}",
         "-f", "lavfi", "-i", f"sine=duration={seconds}", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25",
         "-c:a", "aac", str(path)], check=True)


class Daemon:
    """A daemon with one folder in a folder of its own."""

    def __init__(self, program, place, **top):
        self.program, self.place = program, pathlib.Path(place)
        self.input, self.output = self.place / "in", self.place / "out"
        for folder in (self.input, self.output):
            folder.mkdir(parents=True, exist_ok=True)
        lines = {"state": self.place / "state", "web": "{listen: 127.0.0.1:0}", "disk-floor": "64MiB", **{k.replace("_", "-"): v for k, v in top.items()}}
        text = "".join(f"{key}: {value}\n" for key, value in lines.items())
        text += f"folders:\n  - name: drop\n    in: {self.input}\n    out: {self.output}\n    network-size: {NETWORK}\n"
        (self.place / "solstice.yaml").write_text(text)
        self.process = None

    def start(self):
        log = open(self.place / "log", "ab")
        before = log.tell()
        self.process = subprocess.Popen(
            [self.program, "serve", "--config", str(self.place / "solstice.yaml")], stdout=subprocess.DEVNULL, stderr=log, stdin=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while time.monotonic() < end and self.process.poll() is None:
            with open(self.place / "log", "rb") as file:
                file.seek(before)
                found = re.search(rb"http://127\.0\.0\.1:(\d+)", file.read())
            if found:
                self.url = f"http://127.0.0.1:{int(found[1])}"
                try:
                    urllib.request.urlopen(self.url + "/readyz", timeout=5).read()
                    return self
                except OSError:
                    pass
            time.sleep(0.02)
        sys.exit("the daemon does not start: " + (self.place / "log").read_text())

    def ask(self, path):
        with urllib.request.urlopen(self.url + path, timeout=20) as answer:
            return json.load(answer)

    def jobs(self):
        return {job["file"]: job for job in self.ask("/api/v1/jobs?limit=500")["jobs"]}

    def wait(self, condition, limit=900, pause=0.01):
        end = time.monotonic() + limit
        while time.monotonic() < end:
            value = condition()
            if value:
                return value
            time.sleep(pause)
        sys.exit("it takes too long: " + (self.place / "log").read_text()[-4000:])

    def workers(self):
        try:
            children = pathlib.Path(f"/proc/{self.process.pid}/task").glob("*/children")
            return [int(pid) for file in children for pid in file.read_text().split()]
        except OSError:
            return []

    def kill(self):
        """Power off, as far as processes are concerned."""
        self.process.send_signal(signal.SIGSTOP)
        workers = self.workers()
        for pid in [self.process.pid] + workers:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()

    def stop(self):
        start = time.monotonic()
        self.process.terminate()
        self.process.wait(timeout=30)
        return time.monotonic() - start


def pickup(program, place):
    """Seconds from close(2) to the job in the store, and to its worker."""
    daemon = Daemon(program, place).start()
    bytes_, found, begun = None, [], []
    clip(place / "small.mp4", 0.2)
    bytes_ = (place / "small.mp4").read_bytes()
    for number in range(8):
        name = f"{number}.mp4"
        with open(daemon.input / name, "wb") as file:
            file.write(bytes_ + (8 + number).to_bytes(4, "big") + b"free" + bytes(number))
        closed = time.monotonic()
        daemon.wait(lambda: name in daemon.jobs(), pause=0.002)
        found.append(time.monotonic() - closed)
        daemon.wait(lambda: daemon.jobs()[name]["state"] != "queued", pause=0.002)
        begun.append(time.monotonic() - closed)
        daemon.wait(lambda: daemon.jobs()[name]["state"] == "done")
    daemon.stop()
    return {"settle_s": 2.0, "to_job_s": spread(found), "to_worker_s": spread(begun)}


def spread(values):
    return {"median": round(statistics.median(values), 3), "least": round(min(values), 3), "most": round(max(values), 3)}


def overhead(program, place, count):
    """The same clips by `convert`, one after another and as a folder, and by the daemon."""
    source = place / "clips"
    source.mkdir()
    for number in range(count):
        clip(source / f"{number:02}.mp4", 2, hue=number * 17)
    start = time.monotonic()
    for number in range(count):
        subprocess.run(
            [program, "convert", str(source / f"{number:02}.mp4"), str(place / f"plain-{number:02}.mp4"), "--network-size", NETWORK, "--quiet"], check=True)
    plain = time.monotonic() - start
    start = time.monotonic()
    subprocess.run([program, "convert", str(source), str(place / "folder"), "--network-size", NETWORK, "--quiet"], check=True)
    whole = time.monotonic() - start
    figures = {"clips": count, "frames_each": 50, "convert_each_s": round(plain, 2), "convert_folder_s": round(whole, 2)}
    for jobs in (1, 2):
        daemon = Daemon(program, place / f"jobs-{jobs}", jobs=jobs).start()
        ready = place / "ready"
        shutil.copytree(source, ready)
        for file in sorted(ready.iterdir()):
            os.rename(file, daemon.input / file.name)
        ready.rmdir()
        daemon.wait(lambda: any(job["state"] != "queued" for job in daemon.jobs().values()), pause=0.005)
        start = time.monotonic()
        daemon.wait(lambda: sum(job["state"] == "done" for job in daemon.jobs().values()) == count)
        took = time.monotonic() - start
        daemon.stop()
        figures[f"daemon_jobs_{jobs}_s"] = round(took, 2)
        figures[f"overhead_jobs_{jobs}_percent"] = round(100 * (took / plain - 1), 1)
    return figures


def killed(program, place):
    """A long clip, undisturbed and killed five times: what is done again, and the time that it costs."""
    clip(place / "long.mp4", 120)
    bytes_ = (place / "long.mp4").read_bytes()

    def run(name, moments):
        daemon = Daemon(program, place / name)
        (daemon.input / "a.mp4").write_bytes(bytes_)
        begun, lost, gaps = None, [], []
        for moment in moments + [None]:
            started = time.monotonic()
            daemon.start()
            job = daemon.wait(lambda: (lambda job: job if job and job["state"] == "running" else None)(daemon.jobs().get("a.mp4")))
            gaps.append(time.monotonic() - started)
            begun = begun or time.monotonic()
            if moment is None:
                daemon.wait(lambda: daemon.jobs()["a.mp4"]["state"] == "done", limit=1800, pause=0.05)
                break
            time.sleep(moment)
            job = daemon.jobs()["a.mp4"]
            seconds = (time.monotonic() - begun)
            rendered = metric(daemon, "solstice_frames_total")
            daemon.kill()
            # Frames of this life that are not in safety, at this life's speed.
            first = job_first.get(name, 0)
            fresh = first + rendered - job["frames_done"]
            lost.append(max(0, fresh) / max(0.1, job.get("frames_per_second") or 1))
            job_first[name] = job["frames_done"]
        total = time.monotonic() - begun
        daemon.stop()
        return total, lost, gaps

    job_first = {}
    quiet, _, _ = run("undisturbed", [])
    moments = [7.0, 13.0, 18.0, 9.5, 16.0]
    total, lost, gaps = run("killed", moments)
    return {
        "checkpoint_s": 10, "undisturbed_s": round(quiet, 1), "killed_s": round(total, 1), "kills": len(moments),
        "extra_per_kill_s": round((total - quiet) / len(moments), 1), "work_lost_s": [round(value, 1) for value in lost],
        "restart_to_running_s": [round(value, 1) for value in gaps[1:]],
    }


def metric(daemon, name):
    with urllib.request.urlopen(daemon.url + "/metrics", timeout=20) as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith(name + " "):
                return float(line.split()[-1])
    return 0.0


def memory(program, place):
    """Bytes of an idle daemon with its page, a folder, and a thousand jobs done long ago or none."""
    daemon = Daemon(program, place).start()
    time.sleep(5)
    text = pathlib.Path(f"/proc/{daemon.process.pid}/smaps_rollup").read_text()
    values = {name: int(value) * 1024 for name, value in re.findall(r"^(Rss|Pss|Private_Dirty):\s+(\d+) kB", text, re.M)}
    ticks = [sum(map(int, pathlib.Path(f"/proc/{daemon.process.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]))]
    time.sleep(10)
    ticks.append(sum(map(int, pathlib.Path(f"/proc/{daemon.process.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13])))
    threads = len(list(pathlib.Path(f"/proc/{daemon.process.pid}/task").iterdir()))
    daemon.stop()
    mib = {name.lower() + "_mib": round(value / 2**20, 1) for name, value in values.items()}
    return {**mib, "threads": threads, "cpu_percent_idle": round((ticks[1] - ticks[0]) / os.sysconf("SC_CLK_TCK") / 10 * 100, 2)}


def metrics(program, place):
    """Answers a second while a job keeps every core busy."""
    clip(place / "long.mp4", 60)
    daemon = Daemon(program, place / "run").start()
    shutil.copy(place / "long.mp4", daemon.input / "a.mp4")
    daemon.wait(lambda: daemon.jobs().get("a.mp4", {}).get("state") == "running")
    if shutil.which("wrk"):
        text = subprocess.run(
            ["wrk", "-t1", "-c8", "-d8s", "--latency", daemon.url + "/metrics"], check=True, capture_output=True, text=True).stdout
        found = {"requests_per_second": float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1]), "p99": re.search(r"99%\s+(\S+)", text)[1], "with": "wrk -t1 -c8"}
        found["errors"] = bool(re.search(r"Non-2xx|Socket errors", text))
    else:
        counts, end = [], time.monotonic() + 8

        def work():
            number = 0
            while time.monotonic() < end:
                urllib.request.urlopen(daemon.url + "/metrics", timeout=20).read()
                number += 1
            counts.append(number)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found = {"requests_per_second": sum(counts) / 8, "with": "8 threads of Python, a connection each request"}
    found["job_still_running"] = daemon.jobs()["a.mp4"]["state"] == "running"
    daemon.stop()
    return found


def main():
    root = pathlib.Path(__file__).resolve().parents[3]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--solstice", default=str(root / ".build/release/solstice"))
    parser.add_argument("--only", default="pickup,overhead,kill,memory,metrics")
    parser.add_argument("--clips", type=int, default=20)
    options = parser.parse_args()
    program, figures = os.path.abspath(options.solstice), {}
    kinds = {
        "pickup": lambda place: pickup(program, place), "overhead": lambda place: overhead(program, place, options.clips),
        "kill": lambda place: killed(program, place), "memory": lambda place: memory(program, place), "metrics": lambda place: metrics(program, place),
    }
    for name in options.only.split(","):
        if name not in kinds:
            parser.error(f"{name}: the figures are {', '.join(kinds)}")
        with tempfile.TemporaryDirectory(prefix="solstice-figures-") as place:
            figures[name] = kinds[name](pathlib.Path(place))
        print(f"{name}: {json.dumps(figures[name])}", file=sys.stderr, flush=True)
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
