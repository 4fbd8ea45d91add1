#!/usr/bin/env python3
"""Drives the page in a real browser (Chromium, headless) over its debugging pipe; needs nothing but Python.

    browser.py URL STEP...

Steps are done in order, each waits up to a minute for what it needs:

    wait=CSS            until an element is there and can be seen
    gone=CSS            until none is
    says=CSS=TEXT       until the element's text contains TEXT
    record=CSS          from now on, what can be read in the element is kept, as texts may go by themselves
    said=CSS=TEXT       until a recorded element's text contains TEXT, or has done so
    click=CSS           with the mouse, in the middle of the element
    type=CSS=TEXT       as from the keyboard
    key=NAME            one key, such as Tab, Enter, ArrowLeft
    choose=CSS=FILE     a file in a file input, as from its dialog
    drop=CSS=FILE       a file dragged from outside onto the page and dropped on the element
    eval=SCRIPT         the value of an expression
    shot=PATH,WIDTH,SCHEME[,HEIGHT]   a picture: light or dark; of the whole page where no height is given
    reload=             the page anew

The last line of the output is a JSON object: what each step found, what the page wrote to its console, and what it asked
other hosts for. Exit status 1 where a step could not be done.
"""

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time

PATIENCE = 60.0


class Trouble(Exception):
    pass


class Browser:
    """One Chromium with one page; commands and events go through two pipes, JSON with a zero byte behind it."""

    def __init__(self, program):
        self.profile = tempfile.mkdtemp(prefix="solstice-browser-")
        to_browser, self.output = os.pipe()
        self.input, from_browser = os.pipe()

        def attach():
            # The numbers that the browser reads from and writes to; taken ones are moved away first.
            read, write = os.dup(to_browser), os.dup(from_browser)
            os.dup2(read, 3)
            os.dup2(write, 4)

        self.process = subprocess.Popen(
            [program, "--headless=new", "--no-sandbox", "--remote-debugging-pipe", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--force-color-profile=srgb",
             f"--user-data-dir={self.profile}", "about:blank"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=attach, close_fds=False)
        os.close(to_browser)
        os.close(from_browser)
        self.buffer, self.number, self.session = b"", 0, None
        self.console, self.requests = [], []
        self.session = self.call("Target.attachToTarget", targetId=self.page(), flatten=True)["sessionId"]
        for domain in ["Page", "Runtime", "Network", "Log", "DOM"]:
            self.call(f"{domain}.enable")

    def page(self):
        """The page, which may come a while after the browser answers."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            for target in self.call("Target.getTargets")["targetInfos"]:
                if target["type"] == "page":
                    return target["targetId"]
            time.sleep(0.05)
        raise Trouble("the browser has no page")

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.profile, ignore_errors=True)

    def read(self, seconds):
        """The next message, or None."""
        end = time.monotonic() + seconds
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.input], [], [], max(0, end - time.monotonic()))
            if not ready:
                return None
            part = os.read(self.input, 1 << 16)
            if not part:
                raise Trouble("the browser ended")
            self.buffer += part
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def note(self, message):
        method, about = message.get("method"), message.get("params", {})
        if method == "Runtime.exceptionThrown":
            details = about["exceptionDetails"]
            self.console.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Runtime.consoleAPICalled" and about["type"] in ("error", "warning", "assert"):
            self.console.append(" ".join(str(each.get("value", each.get("description"))) for each in about["args"]))
        elif method == "Log.entryAdded" and about["entry"]["level"] in ("error", "warning"):
            self.console.append(f"{about['entry']['text']} {about['entry'].get('url', '')}".strip())
        elif method == "Network.requestWillBeSent":
            self.requests.append(about["request"]["url"])

    def call(self, method, **parameters):
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.output, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + 60
        while time.monotonic() < end:
            answer = self.read(end - time.monotonic())
            if answer is None:
                break
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise Trouble(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self.note(answer)
        raise Trouble(f"{method}: no answer")

    def evaluate(self, script):
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise Trouble(f"{script}: {answer['exceptionDetails'].get('exception', {}).get('description', 'failed')}")
        return answer["result"].get("value")

    def until(self, script, what):
        """Waits until the expression is true, and returns its value."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            value = self.evaluate(script)
            if value:
                return value
            message = self.read(0.05)
            if message:
                self.note(message)
        text = self.evaluate("document.body.innerText")
        raise Trouble(f"waited in vain for {what}; the page says: {text}")

    def open(self, url):
        self.call("Page.navigate", url=url)
        self.until("document.readyState === 'complete'", "the page")

    def middle(self, css):
        """Where an element is, once it is on the screen and nothing moves it any more."""
        script = f"""(() => {{
            const element = document.querySelector({json.dumps(css)});
            if (!element || !element.checkVisibility()) return null;
            element.scrollIntoView({{ block: "center" }});
            const box = element.getBoundingClientRect();
            return [box.x + box.width / 2, box.y + box.height / 2];
        }})()"""
        return self.until(script, css)

    def click(self, css):
        x, y = self.middle(css)
        self.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
        for kind in ["mousePressed", "mouseReleased"]:
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def key(self, name):
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowLeft": 37, "ArrowRight": 39, "Space": 32}
        text = {"Enter": "\r", "Space": " "}.get(name)
        press = {"key": " " if name == "Space" else name, "code": name, "windowsVirtualKeyCode": codes[name]}
        self.call("Input.dispatchKeyEvent", type="keyDown", **press, **({"text": text} if text else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", **press)

    def choose(self, css, path):
        self.until(f"!!document.querySelector({json.dumps(css)})", css)
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=css)["nodeId"]
        self.call("DOM.setFileInputFiles", files=[os.path.abspath(path)], nodeId=node)

    def drop(self, css, path):
        data = {"items": [], "files": [os.path.abspath(path)], "dragOperationsMask": 1}
        self.call("Input.dispatchDragEvent", type="dragEnter", x=5, y=5, data=data)
        self.call("Input.dispatchDragEvent", type="dragOver", x=5, y=5, data=data)
        x, y = self.middle(css)
        for kind in ["dragOver", "dragOver", "drop"]:
            self.call("Input.dispatchDragEvent", type=kind, x=x, y=y, data=data)

    def shot(self, path, width, scheme, height=None):
        size = {"width": int(width), "deviceScaleFactor": 1, "mobile": int(width) < 600}
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Emulation.setDeviceMetricsOverride", height=int(height or 900), **size)
        time.sleep(0.3)
        if height is None:
            # The whole page as one screen: what is only loaded when seen is loaded, too.
            whole = int(self.evaluate("document.documentElement.scrollHeight"))
            self.call("Emulation.setDeviceMetricsOverride", height=whole, **size)
            self.evaluate("window.scrollTo(0, 0)")
            time.sleep(1.2)
        picture = self.call("Page.captureScreenshot", format="png")["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(picture))
        return self.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")

    def record(self, css):
        self.until(f"!!document.querySelector({json.dumps(css)})", css)
        return self.evaluate(f"""(() => {{
            const element = document.querySelector({json.dumps(css)}), texts = (window.recorded ??= {{}})[{json.dumps(css)}] = [];
            const look = () => {{ if (element.checkVisibility()) texts.push(element.textContent); }};
            look();
            new MutationObserver(look).observe(element, {{ childList: true, characterData: true, subtree: true }});
        }})()""")

    def step(self, name, value):
        element = lambda css: f"document.querySelector({json.dumps(css)})"
        if name == "wait":
            return self.until(f"{element(value)}?.checkVisibility()", value)
        if name == "gone":
            return self.until(f"!{element(value)}?.checkVisibility()", f"the end of {value}")
        if name == "says":
            css, _, text = value.rpartition("=")
            return self.until(f"{element(css)}?.checkVisibility() && {element(css)}.textContent.includes({json.dumps(text)})", f"{text} in {css}")
        if name == "record":
            return self.record(value)
        if name == "said":
            css, _, text = value.rpartition("=")
            return self.until(f"window.recorded[{json.dumps(css)}].some((each) => each.includes({json.dumps(text)}))", f"{text} in {css}")
        if name == "click":
            return self.click(value)
        if name == "type":
            css, _, text = value.rpartition("=")
            self.click(css)
            return self.call("Input.insertText", text=text) and None
        if name == "key":
            return self.key(value)
        if name in ("choose", "drop"):
            css, _, path = value.rpartition("=")
            return getattr(self, name)(css, path)
        if name == "eval":
            return self.evaluate(value)
        if name == "shot":
            return self.shot(*value.split(","))
        if name == "reload":
            self.call("Page.reload")
            time.sleep(0.3)
            return self.until("document.readyState === 'complete'", "the page")
        raise Trouble(f"{name}: not a step")


def main():
    url, steps = sys.argv[1], sys.argv[2:]
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not program:
        sys.exit("browser.py: chromium is not installed")
    browser = Browser(program)
    found, trouble = [], None
    try:
        browser.open(url)
        for step in steps:
            name, _, value = step.partition("=")
            found.append(browser.step(name, value))
    except Trouble as failure:
        trouble = str(failure)
    finally:
        browser.close()
    host = "/".join(url.split("/")[:3])
    foreign = [each for each in browser.requests if not each.startswith((host, "blob:" + host, "data:", "about:"))]
    print(json.dumps({"found": found, "console": browser.console, "foreign": foreign, "trouble": trouble}))
    sys.exit(1 if trouble else 0)


if __name__ == "__main__":
    main()
