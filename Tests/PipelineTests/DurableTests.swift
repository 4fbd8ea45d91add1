import Synchronization
import Testing

@testable import Pipeline

@Suite("Checkpoints") struct CheckpointPolicyTests {
    @Test("come at a key frame, or later at any")
    func cuts() {
        let policy = CheckpointPolicy(interval: 10)
        #expect(!policy.endsRun(elapsed: 9.9, isKey: true))
        #expect(policy.endsRun(elapsed: 10, isKey: true))
        #expect(!policy.endsRun(elapsed: 14.9, isKey: false))
        #expect(policy.endsRun(elapsed: 15, isKey: false))
    }
}

@Suite("The switch that stops") struct StopSwitchTests {
    @Test("calls who is at work, and who begins later at once")
    func handlers() async {
        let stop = StopSwitch()
        let calls = Mutex<[String]>([])
        await stop.whileStopping({ calls.withLock { $0.append("early") } }) {}
        await stop.whileStopping({ calls.withLock { $0.append("now") } }) {
            #expect(!stop.isStopped)
            stop.stop()
            stop.stop()
        }
        #expect(stop.isStopped)
        await stop.whileStopping({ calls.withLock { $0.append("late") } }) {}
        #expect(calls.withLock { $0 } == ["now", "late"])
    }

    @Test("and a promise is kept once")
    func promise() async throws {
        let promise = Promise<Int>()
        promise.keep(.success(1))
        promise.keep(.success(2))
        #expect(try await promise.value == 1)
        let later = Promise<Int>()
        async let value = later.value
        later.keep(.success(3))
        #expect(try await value == 3)
    }
}
