internal import Foundation

/// A socket that sends datagrams to one Unix address (unix(7)).
final class UnixDatagram: Sendable {
    private let socket: Int32
    private let address: sockaddr_un
    private let length: socklen_t

    /// - Parameter path: a path, or `@` and a name for an abstract address.
    /// - Throws: `SystemFailure` `.badSocket` for an address that is none, or too long.
    init(path: String) throws(SystemFailure) {
        let bytes = Array(path.utf8)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let room = MemoryLayout.size(ofValue: address.sun_path)
        guard let first = bytes.first, first == UInt8(ascii: "/") || first == UInt8(ascii: "@"), bytes.count > 1, bytes.count < room,
            !bytes.contains(0)
        else { throw SystemFailure(.badSocket, "'\(path)' is no address of a socket") }
        let isAbstract = first == UInt8(ascii: "@")
        withUnsafeMutableBytes(of: &address.sun_path) { target in
            target.copyBytes(from: bytes)
            // An abstract address begins with a zero byte and has no closing one.
            if isAbstract { target[0] = 0 }
        }
        let offset = MemoryLayout<sockaddr_un>.offset(of: \.sun_path) ?? 2
        self.address = address
        length = socklen_t(offset + bytes.count + (isAbstract ? 0 : 1))
        socket = Foundation.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { throw SystemFailure(.badSocket, "no socket can be made", errno: errno) }
    }

    deinit { close(socket) }

    /// Sends one datagram; where the receiver's queue is full, waits up to `patience` seconds for room.
    /// Returns 0, or the number of the error.
    @discardableResult
    func send(_ bytes: [UInt8], patience: Double = 0) -> Int32 {
        let deadline = ContinuousClock.now + .seconds(patience)
        while true {
            let count = withUnsafePointer(to: address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    sendto(socket, bytes, bytes.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL), $0, length)
                }
            }
            if count >= 0 { return 0 }
            let error = errno
            guard error == EINTR || ((error == EAGAIN || error == ENOBUFS) && ContinuousClock.now < deadline) else { return error }
            if error != EINTR { usleep(10_000) }
        }
    }
}
