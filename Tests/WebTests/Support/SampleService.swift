@testable import Jobs
import Foundation
import SystemPackage
import Web

/// A daemon in the middle of its work, with something of everything.
enum SampleService {
    static func state(now: Date = Date()) -> FakeBackend.State {
        var state = FakeBackend.State()
        state.status = status(now: now)
        state.jobs = jobs(now: now)
        return state
    }

    private static func status(now: Date) -> ServiceStatus {
        var front = RelayState(name: "front-camera", state: "playing", source: "rtsp://10.0.4.21:554/h264", starts: 1, hasPicture: true)
        (front.fpsIn, front.fpsOut, front.latencyP50, front.latencyP95, front.dropped, front.reconnects, front.readers) = (25, 24.9, 0.084, 0.131, 12, 1, 3)
        var yard = RelayState(name: "yard", state: "lost", reason: "The source has sent nothing for 14 s; trying again in 4 s.", source: "srt://0.0.0.0:9000?mode=listener", starts: 3)
        (yard.fpsIn, yard.fpsOut, yard.dropped, yard.reconnects, yard.readers) = (0, 0, 340, 7, 0)
        let gib: Int64 = 1 << 30
        return ServiceStatus(
            version: "0.6.0", uptime: 188_520, isReady: true,
            folders: [
                FolderStatus(name: "dashcam", input: "/srv/video/dashcam", output: "/srv/video/night", state: "watching", settling: 2),
                FolderStatus(name: "bike", input: "/mnt/nas/bike", output: "/srv/video/bike-winter", state: "paused", reason: "/mnt/nas/bike is not there"),
            ],
            relays: [front, yard],
            disks: [
                DiskStatus(path: "/srv/video/night", use: "results of dashcam", free: 211 * gib, total: 931 * gib, floor: 2 * gib),
                DiskStatus(path: "/var/lib/solstice/work", use: "work", free: 19 * gib, total: 58 * gib, floor: 2 * gib),
            ],
            cpu: CPUStatus(own: 6.3, machine: 6.9, cores: 8, residentOwn: 31 << 20, residentChildren: 1843 << 20), throughput: throughput(now: now),
            counters: ["frames": 1_203_441, "worker_deaths": 1])
    }

    private static func throughput(now: Date) -> [ThroughputPoint] {
        (0..<360).map { at in
            let minute = Double(at) / 6
            // A pause of ten minutes, then two jobs at once.
            let base = minute < 12 ? 14.5 : minute < 21 ? 0 : 22.5
            let wave = base == 0 ? 0 : 1.4 * sin(minute * 1.7) + 0.8 * sin(minute * 5.1) + 0.5 * sin(minute * 13)
            return ThroughputPoint(time: now.timeIntervalSince1970 - Double(359 - at) * 10, framesPerSecond: max(0, base + wave))
        }
    }

    private static func jobs(now: Date) -> [Job] {
        var jobs: [Job] = (1...9).map { at in
            .sample(Int64(at), .done, path: "2026-11-2\(at % 3)/commute_\(at < 5 ? "am" : "pm")_00\(at).mp4") { job in
                job.framesTotal = 1800 + at * 411
                job.framesDone = 1800 + at * 411
                job.framesRendered = job.framesDone
                job.busySeconds = Double(140 + at * 33)
                job.outputBytes = Int64(at) * 31_000_000
                job.finished = now - Double(10 - at) * 2400
                job.started = now - Double(10 - at) * 2400 - 200
                job.attempts = 1
            }
        }
        jobs[7].copyOf = 3
        jobs[6].notices = ["3 damaged frames were concealed"]
        jobs.append(
            .sample(10, .failed, path: "2026-11-22/EVENT_0093_front.mov") { job in
                job.failure = JobFailure(code: "damaged", text: "EVENT_0093_front.mov: 412 of 1,790 frames cannot be decoded, more than 10 % are not translated; give --salvage to keep what can be read", mayPass: false)
                (job.attempts, job.finished) = (1, now - 5100)
            })
        jobs.append(
            .sample(11, .failed, folder: "bike", path: "GOPR<b>1187</b>.MP4") { job in
                job.failure = JobFailure(code: "quarantined", text: "the worker was ended twice by signal 11 on this content; the file is in quarantine until it is tried again", mayPass: false)
                (job.attempts, job.finished) = (2, now - 780)
            })
        jobs += waiting(now: now) + running(now: now)
        return jobs
    }

    private static func running(now: Date) -> [Job] {
        [
            .sample(30, .running, path: "2026-11-23/highway_A40_northbound_with_a_rather_long_name_rear_0007.mp4") { job in
                (job.framesDone, job.framesRendered, job.framesTotal, job.framesPerSecond) = (6118, 6240, 10_790, 12.84)
                (job.attempts, job.started) = (1, now - 497)
            },
            .sample(31, .running, path: "2026-11-23/city_0012.mkv") { job in
                (job.framesDone, job.framesRendered, job.framesTotal, job.framesPerSecond) = (310, 402, 5394, 9.71)
                (job.attempts, job.started) = (2, now - 44)
                job.note = "went on at frame 310"
            },
        ]
    }

    private static func waiting(now: Date) -> [Job] {
        [
            .sample(20, .queued, path: "2026-11-23/highway_A40_0008.mp4") { $0.identity.size = 1_480_000_000 },
            .sample(21, .queued, path: "2026-11-23/highway_A40_0009.mp4") { job in
                job.identity.size = 912_000_000
                (job.hold, job.note) = (.user, "Paused by the user; 2,310 of 8,100 frames are safe")
            },
            .sample(22, .queued, folder: "bike", path: "forest.ts") { job in
                job.identity.size = 22_800_000_000
                (job.hold, job.note) = (.disk, "Waits for room: results of bike need about 21.4 GiB, 19.0 GiB are free")
            },
            .sample(23, .queued, path: "2026-11-23/tunnel.webm") { job in
                (job.hold, job.note, job.attempts) = (.retry, "The source vanished while it was read; third attempt in 2 min", 2)
                job.notBefore = now + 120
            },
        ]
    }
}
