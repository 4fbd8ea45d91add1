import Foundation
import TestSupport
import Testing
@testable import Web

private let browserScript = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../Fixtures/web/browser.py").standardized.path

/// Whether a browser starts and shows an empty page. Being installed is not enough: some containers do not let it run.
private let hasBrowser = (0..<2).contains { _ in
    (try? Program.run("python3", [browserScript, "about:blank"], limit: 120))?.status == 0
}

/// The page in a real browser: what is pressed there reaches the daemon, and what the daemon does shows.
@Suite(.enabled(if: hasBrowser, "needs python3 and a chromium that starts"), .serialized)
struct BrowserTests {
    private struct Visit: Decodable {
        let console: [String]
        let foreign: [String]
        let trouble: String?
    }

    /// Does the steps in a browser; they must all succeed, on a page without errors that asks nobody else for anything.
    private func visit(_ server: TestServer, _ steps: [String], errors: [String] = []) async throws {
        let address = "http://127.0.0.1:\(server.port)/"
        let outcome = try await HTTPClient.blocking { try Program.run("python3", [browserScript, address] + steps, limit: 180) }
        let line = outcome.output.split(separator: "\n").last ?? ""
        let visit = try #require(try? JSONDecoder().decode(Visit.self, from: Data(line.utf8)), "\(outcome.output) \(outcome.errors)")
        #expect(visit.trouble == nil && outcome.status == 0, "\(visit.trouble ?? "")")
        #expect(visit.foreign.isEmpty)
        #expect(visit.console.filter { text in !errors.contains { text.contains($0) } }.isEmpty)
    }

    @Test func itShowsWhatThereIsAndFollows() async throws {
        let backend = FakeBackend { $0 = SampleService.state() }
        let picture = try HTTPClient.picture()
        backend.change { $0.pictures = { subject, _ in subject == .job(30) || subject == .relay("front-camera") ? picture : nil } }
        try await TestServer.run(backend) { (server) async throws in
            async let visiting: Void = visit(
                server,
                [
                    "says=#link=Live", "says=#running .card:nth-child(1)=12.8 fps", "wait=#running .compare:not(.is-empty)",
                    "says=#relays .card:nth-child(1)=84 ms", "says=#relays .card:nth-child(2)=Source lost", "says=#folders=/mnt/nas/bike is not there",
                    "says=#machine=211 GiB free", "wait=#plot path.line", "says=#queued=Waits for room", "wait=#finished a[href='/api/v1/jobs/9/result']",
                    // A name is text, whatever is in it.
                    "says=#failed .row:nth-child(1)=GOPR<b>1187</b>.MP4", "says=#failed .row:nth-child(2)=412 of 1,790",
                    // The slider, by the keyboard.
                    "eval=document.querySelector('#running .compare input').focus()", "key=ArrowLeft",
                    "eval=(() => { if (getComputedStyle(document.querySelector('#running .compare')).getPropertyValue('--split') !== '49%') throw Error('the slider did not move') })()",
                    "says=#running .card:nth-child(1)=99.9 %", "says=#tally=3running", "click=#running .card:nth-child(1) .name", "says=#details=Job 30 of dashcam", "key=Escape",
                    "gone=#details",
                ])
            #expect(await eventually(within: 60) { server.events == 1 })
            backend.change { state in
                let at = state.jobs.firstIndex { $0.id == 30 }!
                state.jobs[at].framesRendered = 10_789
                state.jobs.append(.sample(40, .probing))
            }
            try await visiting
        }
    }

    /// Presses twice at once: the question goes by itself after some seconds.
    private static let pressesTwice = """
        eval=(() => {
            const button = document.querySelector("#running [data-action=cancel]");
            button.click();
            const question = button.textContent, isAsked = button.disabled;
            button.click();
            if (question !== "Really cancel?" || isAsked || !button.disabled) throw Error(`${question} ${isAsked} ${button.disabled}`);
        })()
        """

    @Test func theRetryButton() async throws {
        let backend = FakeBackend { $0.jobs = [.sample(1, .failed) { $0.failure = .init(code: "diskFull", text: "the disk is full", mayPass: true) }, .sample(2, .running)] }
        try await TestServer.run(backend) { (server) async throws in
            try await visit(
                server,
                [
                    "says=#failed=the disk is full", "record=#notes", "click=#failed [data-action=retry]", "said=#notes=will be tried again", "gone=#failed", "says=#queued=clip 1.mp4",
                    // Cancelling asks first.
                    "wait=#running [data-action=cancel]", Self.pressesTwice, "says=#finished=cancelled",
                ])
        }
        #expect(backend.read { $0.requests } == ["retry 1", "cancel 2"])
    }

    @Test func filesAreChosenAndDropped() async throws {
        let folders = try TemporaryFolder(), files = try TemporaryFolder()
        for name in ["dashcam", "bike"] { try FileManager.default.createDirectory(atPath: folders.path(name), withIntermediateDirectories: true) }
        let content = Data((0..<2_000_000).map { UInt8(truncatingIfNeeded: $0 &* 13) })
        for name in ["chosen ü.mp4", "dropped.mp4", "large.mp4"] { try content.write(to: files.url.appendingPathComponent(name)) }
        try (content + content).write(to: files.url.appendingPathComponent("large.mp4"))
        let backend = FakeBackend { state in
            state.roots = ["dashcam": folders.path("dashcam"), "bike": folders.path("bike")]
            state.status.folders = ["dashcam", "bike"].map { FolderStatus(name: $0, input: folders.path($0), output: "/out", state: "watching") }
        }
        try await TestServer.run(backend, { $0.uploadLimit = 3_000_000 }) { (server) async throws in
            try await visit(
                server,
                [
                    "wait=#folders [data-folder=dashcam]", "record=#uploads", "choose=#folders [data-folder=dashcam]=\(files.path("chosen ü.mp4"))", "said=#uploads=is in dashcam",
                    "drop=#drop [data-folder=bike]=\(files.path("dropped.mp4"))", "said=#uploads=is in bike", "gone=#drop",
                    "choose=#folders [data-folder=bike]=\(files.path("large.mp4"))", "says=#uploads li:last-child=more than",
                    "choose=#folders [data-folder=bike]=\(files.path("dropped.mp4"))", "says=#uploads li:last-child=is there already",
                ], errors: ["status of 409"])
        }
        #expect(FileManager.default.contents(atPath: folders.path("dashcam/chosen ü.mp4")) == content)
        #expect(FileManager.default.contents(atPath: folders.path("bike/dropped.mp4")) == content)
    }

    @Test func loggingIn() async throws {
        try await TestServer.run(FakeBackend(), { $0.token = AccessTests.token }) { (server) async throws in
            try await visit(
                server,
                [
                    "wait=#login", "gone=#page", "type=#token=not the right token", "key=Enter", "says=#login-problem=not the token", "type=#token=\(AccessTests.token)",
                    "key=Enter", "says=#link=Live", "gone=#login", "reload=", "says=#link=Live", "click=#log-out", "wait=#login",
                ], errors: ["status of 403"])
        }
    }

    @Test func thePageFitsAPhone() async throws {
        let backend = FakeBackend { $0 = SampleService.state() }
        let folder = try TemporaryFolder()
        try await TestServer.run(backend) { (server) async throws in
            try await visit(
                server,
                ["says=#link=Live", "wait=#failed"]
                    + [320, 390, 800, 1280].flatMap { width in
                        [
                            "shot=\(folder.path("\(width).png")),\(width),dark",
                            "eval=(() => { const wide = document.documentElement.scrollWidth; if (wide > \(width)) throw Error(`${wide} wide on \(width)`) })()",
                        ]
                    })
        }
        #expect(folder.names.count == 4)
    }
}

extension HTTPClient {
    /// A small JPEG picture.
    static func picture() throws -> [UInt8] {
        let folder = try TemporaryFolder()
        try Program.output("ffmpeg", ["-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x180", "-frames:v", "1", folder.path("p.jpg")])
        return Array(try Data(contentsOf: folder.url.appendingPathComponent("p.jpg")))
    }
}
