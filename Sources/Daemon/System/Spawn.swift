internal import CSpawn
internal import Foundation

/// The system calls that start a process and wait for its end (posix_spawn(3), waitid(2)).
enum Spawn {
    /// Starts the program with `pipes` as its standard streams, no other file open, no signal blocked or ignored.
    static func start(_ order: ChildOrder, _ pipes: ChildPipes.Ends) -> Result<Int32, SystemFailure> {
        var actions = posix_spawn_file_actions_t(), attributes = posix_spawnattr_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawnattr_init(&attributes)
        defer {
            posix_spawn_file_actions_destroy(&actions)
            posix_spawnattr_destroy(&attributes)
        }
        for (own, standard) in [(pipes.input, STDIN_FILENO), (pipes.output, STDOUT_FILENO), (pipes.errors, STDERR_FILENO)] {
            posix_spawn_file_actions_adddup2(&actions, own, standard)
        }
        // Whoever opened it: in a child it would keep a deleted file or a port alive.
        shim_spawn_close_from(&actions, STDERR_FILENO + 1)
        setSignals(&attributes)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

        let environment = order.environment.map { "\($0.key)=\($0.value)" }.sorted()
        var pid: Int32 = 0
        let error = withCStrings([programName(order)] + order.arguments) { arguments in
            withCStrings(environment) { posix_spawn(&pid, order.executable, &actions, &attributes, arguments, $0) }
        }
        guard error == 0 else { return .failure(SystemFailure(.cannotStart, "\(order.executable) cannot be started", errno: error)) }
        if order.oomScore > 0 {
            // Only a wish: where it is refused, the kernel chooses by size.
            try? "\(order.oomScore)".write(toFile: "/proc/\(pid)/oom_score_adj", atomically: false, encoding: .utf8)
        }
        return .success(pid)
    }

    private static func programName(_ order: ChildOrder) -> String {
        order.executable == ChildProcess.ownProgram ? "solstice" : order.executable
    }

    private static func setSignals(_ attributes: inout posix_spawnattr_t) {
        var none = sigset_t(), standard = sigset_t()
        sigemptyset(&none)
        sigemptyset(&standard)
        for number in 1..<Int32(32) where number != SIGKILL && number != SIGSTOP { sigaddset(&standard, number) }
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &standard)
    }

    private static func withCStrings<Result>(
        _ texts: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
    ) -> Result {
        var pointers = texts.map { strdup($0) }
        pointers.append(nil)
        defer { for pointer in pointers { free(pointer) } }
        return body(pointers)
    }

    /// Blocks every signal on the calling thread.
    static func blockSignals() {
        var all = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_BLOCK, &all, nil)
    }

    /// Waits until `pid`, a child, has ended; leaves it to be reaped.
    static func awaitEnd(of pid: Int32) {
        var info = siginfo_t()
        while waitid(P_PID, id_t(pid), &info, WEXITED | WNOWAIT) == -1 && errno == EINTR {}
    }

    /// Collects an ended child: how it ended, its peak of memory in bytes, its seconds of CPU.
    static func reap(_ pid: Int32) -> (ChildEnd.Cause, Int, Double) {
        var status: Int32 = 0
        var usage = rusage()
        while wait4(pid, &status, 0, &usage) == -1 && errno == EINTR {}
        // The macros of wait(2) in words: the low 7 bits are the signal, the next 8 above one more bit the exit status.
        let signal = status & 0x7f
        let cause: ChildEnd.Cause = signal == 0 ? .exited(status >> 8 & 0xff) : .signalled(signal)
        let seconds = [usage.ru_utime, usage.ru_stime].reduce(0) { $0 + Double($1.tv_sec) + Double($1.tv_usec) * 1e-6 }
        return (cause, usage.ru_maxrss * 1024, seconds)
    }
}
